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
    }
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
}

run "alarms_that_tell_nobody_are_refused" {
  command = plan

  variables {
    alarm_topic_arns = []
  }

  expect_failures = [var.alarm_topic_arns]
}
