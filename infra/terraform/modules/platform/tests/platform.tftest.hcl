# The modules fit together, and what comes out are values that the charts know. Nothing is made: the provider is a mock.

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
        domain_name           = "taskhub.example.com"
        resource_record_name  = "_mock.taskhub.example.com."
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
  name             = "taskhub-test"
  region           = "eu-central-1"
  zones            = ["eu-central-1a", "eu-central-1b", "eu-central-1c"]
  admin_role_arns  = ["arn:aws:iam::111122223333:role/admin"]
  alarm_topic_arns = ["arn:aws:sns:eu-central-1:111122223333:taskhub-alarms"]
  sizes = {
    nat_per_zone    = true
    node_groups     = { general = { instance_types = ["m7i.large"], min = 3, max = 6 } }
    postgres_class  = "db.m7g.large"
    storage_gib     = 100
    max_connections = 500
    broker_node     = "cache.m7g.large"
    cache_node      = "cache.t4g.medium"
  }
  dns      = { host = "taskhub.example.com", zone = "example.com" }
  releases = { repository = "example/taskhub" }
}

run "the_parts_fit_together" {
  # Every value that comes out is one that its chart knows, in the first two levels; `config` is free by design.
  assert {
    condition = alltrue(flatten([
      for chart, values in output.chart_values : [
        for section, value in values : section == "config" ? true : alltrue([
          for key in keys(value) : contains(keys(yamldecode(file("../../../../charts/${chart}/values.yaml"))[section]), key)
        ])
      ]
    ]))
    error_message = "A value that comes out is none that the chart reads."
  }
  # A network policy's flows are known too.
  assert {
    condition = alltrue(flatten([
      for chart, values in output.chart_values : [
        for flow in keys(values.networkPolicy.flows) : contains(keys(yamldecode(file("../../../../charts/${chart}/values.yaml")).networkPolicy.flows), flow)
      ]
    ]))
    error_message = "A flow that comes out is none of the chart's."
  }
  assert {
    condition     = toset(keys(output.url_secret_arns)) == toset([for chart in ["broker", "cache"] : yamldecode(file("../../../../charts/api/values.yaml"))[chart].urlKey])
    error_message = "The secrets must be named by the keys that the chart reads."
  }
  assert {
    condition     = alltrue([for values in output.chart_values : values.database.tls.mode == "verify-full"])
    error_message = "PostgreSQL's certificate must be verified, and its name."
  }
  assert {
    condition     = alltrue([for values in output.chart_values : values.queue.name == "taskhub-test-events" && values.queue.dlqName == "taskhub-test-events-dlq" && values.queue.region == "eu-central-1"])
    error_message = "The charts must be told the queues that were made."
  }
  assert {
    condition     = toset([for values in output.chart_values : values.serviceAccount.name]) == toset(keys(module.identity.role_arns))
    error_message = "Each service account that the charts make must have its role."
  }
  assert {
    condition     = output.chart_values.api.ingress.annotations["alb.ingress.kubernetes.io/certificate-arn"] == module.dns.certificate_arn
    error_message = "The load balancer must be given the certificate that was made."
  }
  assert {
    condition     = output.chart_values.api.ingress.annotations["alb.ingress.kubernetes.io/load-balancer-name"] == "taskhub-test"
    error_message = "The load balancer must bear the only name that its controller may use."
  }
  assert {
    condition     = output.heartbeat_topic_arn == module.observability.heartbeat_topic_arn && output.log_group == "/taskhub/taskhub-test/applications"
    error_message = "Where heartbeats and logs go must come out."
  }
  assert {
    condition     = output.release_role_arn == module.github_oidc[0].role_arn
    error_message = "The role of releases must come out."
  }
}

run "the_host_leads_to_the_load_balancer_of_the_ingress" {
  command = plan

  variables {
    dns      = { host = "taskhub.example.com", zone = "example.com", leads_to_load_balancer = true }
    releases = null
  }

  assert {
    condition     = module.dns.load_balancer == "taskhub-test"
    error_message = "The host must lead to the load balancer that the Ingress names."
  }
  assert {
    condition     = output.release_role_arn == null
    error_message = "Nobody may push where no repository is named."
  }
}

run "alarms_that_tell_nobody_are_refused" {
  command = plan

  variables {
    alarm_topic_arns = []
  }

  expect_failures = [var.alarm_topic_arns]
}
