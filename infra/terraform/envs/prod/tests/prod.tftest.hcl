# What is prod's own: names, sizes and the account. The modules' tests hold the rest. Nothing is made: the provider is a mock.

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
  account_id       = "111122223333"
  admin_role_arns  = ["arn:aws:iam::111122223333:role/admin"]
  alarm_topic_arns = ["arn:aws:sns:eu-central-1:111122223333:taskhub-alarms"]
}

run "prod" {
  assert {
    condition     = output.cluster.name == "taskhub-prod"
    error_message = "Everything must be named by its environment."
  }
  assert {
    condition     = alltrue([for values in output.chart_values : values.queue.name == "taskhub-prod-events"])
    error_message = "Environments must not share a queue."
  }
}

run "a_wrong_account_is_refused" {
  command = plan

  variables {
    account_id = "taskhub"
  }

  expect_failures = [var.account_id]
}
