# What is staging's own: names, sizes and the account. The modules' tests hold the rest. Nothing is made: the provider is a mock.

mock_provider "aws" {
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_data "aws_secretsmanager_random_password" {
    defaults = { random_password = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef" }
  }
  mock_resource "aws_kms_key" {
    defaults = {
      arn    = "arn:aws:kms:eu-central-1:111122223333:key/00000000-0000-4000-8000-000000000001"
      key_id = "00000000-0000-4000-8000-000000000001"
    }
  }
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::111122223333:role/mock" }
  }
  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:eu-central-1:111122223333:log-group:mock" }
  }
  mock_resource "aws_launch_template" {
    defaults = {
      id             = "lt-0123456789abcdef0"
      latest_version = 1
    }
  }
  mock_resource "aws_sqs_queue" {
    defaults = { arn = "arn:aws:sqs:eu-central-1:111122223333:mock" }
  }
  mock_resource "aws_eks_cluster" {
    defaults = {
      arn                   = "arn:aws:eks:eu-central-1:111122223333:cluster/taskhub-test"
      certificate_authority = [{ data = "bW9jaw==" }]
      vpc_config            = { cluster_security_group_id = "sg-0123456789abcdef0" }
    }
  }
  mock_resource "aws_vpc" {
    defaults = { id = "vpc-0123456789abcdef0" }
  }
  mock_resource "aws_sns_topic" {
    defaults = { arn = "arn:aws:sns:eu-central-1:111122223333:taskhub-heartbeat" }
  }
  mock_resource "aws_ecr_repository" {
    defaults = { arn = "arn:aws:ecr:eu-central-1:111122223333:repository/mock" }
  }
  mock_resource "aws_acm_certificate" {
    defaults = {
      arn = "arn:aws:acm:eu-central-1:111122223333:certificate/00000000-0000-4000-8000-000000000001"
      domain_validation_options = [{
        domain_name           = "taskhub.staging.example.com"
        resource_record_name  = "_mock.taskhub.staging.example.com."
        resource_record_type  = "CNAME"
        resource_record_value = "_mock.acm-validations.aws."
      }]
    }
  }
  mock_resource "aws_iam_openid_connect_provider" {
    defaults = { arn = "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com" }
  }
  mock_resource "aws_secretsmanager_secret" {
    defaults = { arn = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:mock-AbCdEf" }
  }
}

variables {
  account_id       = "111122223333"
  admin_role_arns  = ["arn:aws:iam::111122223333:role/admin"]
  alarm_topic_arns = ["arn:aws:sns:eu-central-1:111122223333:taskhub-alarms"]
}

run "staging" {
  assert {
    condition     = output.cluster.name == "taskhub-staging"
    error_message = "Everything must be named by its environment."
  }
  assert {
    condition     = alltrue([for values in output.chart_values : values.queue.name == "taskhub-staging-events"])
    error_message = "Environments must not share a queue."
  }
  assert {
    condition     = output.log_group == "/taskhub/taskhub-staging/applications"
    error_message = "Environments must not share logs."
  }
  assert {
    condition     = var.dns.host == yamldecode(file("../../../../argocd/envs/staging/api.yaml")).ingress.host
    error_message = "The certificate must be for the host that the Ingress serves."
  }
  assert {
    condition     = output.release_role_arn == null
    error_message = "Nobody may push images before a repository is named."
  }
}

# Argo CD reads what comes out here from files that `python -m tools.bridge staging` has written.
run "what_argo_cd_reads_is_what_comes_out" {
  # All but the images' registry, which has the account's number in it.
  assert {
    condition = alltrue(flatten([
      for chart, values in output.chart_values : [
        for section, value in values : section == "image" || jsonencode(value) == jsonencode(yamldecode(file("../../../../argocd/envs/staging/terraform/${chart}.yaml"))[section])
      ]
    ]))
    error_message = "A file under argocd/envs/staging/terraform is not what comes out: write them anew."
  }
  # Nothing more is read than comes out (and the queue's URL, for KEDA).
  assert {
    condition = alltrue([
      for chart, values in output.chart_values : toset(keys(yamldecode(file("../../../../argocd/envs/staging/terraform/${chart}.yaml")))) == setunion(keys(values), chart == "sqs-consumer" ? ["keda"] : [])
    ])
    error_message = "A file under argocd/envs/staging/terraform has a value that does not come out."
  }
  assert {
    condition     = endswith(yamldecode(file("../../../../argocd/envs/staging/terraform/sqs-consumer.yaml")).keda.queueDepth.queueUrl, "/${output.chart_values["sqs-consumer"].queue.name}")
    error_message = "KEDA must look at this environment's queue."
  }
  # The dead-man's switch and the logs.
  assert {
    condition     = endswith(yamldecode(file("../../../../argocd/envs/staging/terraform/observability.yaml")).alertmanager.heartbeat.topicArn, ":${output.cluster.name}-heartbeat")
    error_message = "Alertmanager must call this environment's dead-man's switch."
  }
  assert {
    condition     = { for it in yamldecode(file("../../../../argocd/envs/staging/platform/fluent-bit.yaml")).env : it.name => it.value }["LOG_GROUP"] == output.log_group
    error_message = "Fluent Bit must write to the log group that was made."
  }
  # The secrets with URLs that Terraform makes are among those that are copied into the cluster.
  assert {
    condition = alltrue([
      for variable in keys(output.url_secret_arns) : strcontains(file("../../../../argocd/envs/staging/needs/secrets.yaml"), "{secretKey: ${variable}, remoteRef: {key: ${output.cluster.name}/${variable}}}")
    ])
    error_message = "External Secrets must copy what Terraform has made."
  }
}

run "a_wrong_account_is_refused" {
  command = plan

  variables {
    account_id = "taskhub"
  }

  expect_failures = [var.account_id]
}
