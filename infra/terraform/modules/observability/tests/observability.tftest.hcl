# What is kept, and what watches the watchers, one by one. Nothing is made: the provider is a mock.

mock_provider "aws" {
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_data "aws_region" {
    defaults = { name = "eu-central-1" }
  }
  mock_data "aws_caller_identity" {
    defaults = { account_id = "111122223333" }
  }
  mock_resource "aws_kms_key" {
    defaults = {
      arn    = "arn:aws:kms:eu-central-1:111122223333:key/00000000-0000-4000-8000-000000000001"
      key_id = "00000000-0000-4000-8000-000000000001"
    }
  }
  mock_resource "aws_sns_topic" {
    defaults = { arn = "arn:aws:sns:eu-central-1:111122223333:taskhub-test-heartbeat" }
  }
}

variables {
  name             = "taskhub-test"
  alarm_topic_arns = ["arn:aws:sns:eu-central-1:111122223333:taskhub-alarms"]
}

run "by_default" {
  # Logs.
  assert {
    condition     = aws_cloudwatch_log_group.applications.retention_in_days == 30
    error_message = "Logs must be kept for 30 days."
  }
  assert {
    condition     = aws_cloudwatch_log_group.applications.kms_key_id == aws_kms_key.this.arn
    error_message = "Logs must be encrypted by the module's key."
  }
  assert {
    condition     = output.log_group == "/taskhub/taskhub-test/applications"
    error_message = "Each environment must have its own logs."
  }

  # The key.
  assert {
    condition     = aws_kms_key.this.enable_key_rotation && aws_kms_key.this.deletion_window_in_days == 30
    error_message = "The key must rotate, and wait longest before it is deleted."
  }
  assert {
    condition     = [for s in jsondecode(aws_kms_key.this.policy).Statement : jsonencode(s.Principal)] == [jsonencode({ AWS = "arn:aws:iam::111122223333:root" }), jsonencode({ Service = "logs.eu-central-1.amazonaws.com" })]
    error_message = "The key must serve this account and CloudWatch's logs, and nobody else."
  }
  assert {
    condition     = jsondecode(aws_kms_key.this.policy).Statement[1].Condition.ArnEquals["kms:EncryptionContext:aws:logs:arn"] == "arn:aws:logs:eu-central-1:111122223333:log-group:${aws_cloudwatch_log_group.applications.name}"
    error_message = "CloudWatch's logs must use the key for this group only."
  }

  # Heartbeats.
  assert {
    condition     = aws_sns_topic.heartbeat.kms_master_key_id == aws_kms_key.this.arn
    error_message = "Heartbeats must be encrypted by the module's key."
  }
  assert {
    condition = (
      length(jsondecode(aws_sns_topic_policy.heartbeat.policy).Statement) == 1 && jsondecode(aws_sns_topic_policy.heartbeat.policy).Statement[0].Effect == "Deny"
      && jsondecode(aws_sns_topic_policy.heartbeat.policy).Statement[0].Condition.Bool["aws:SecureTransport"] == "false"
      && jsondecode(aws_sns_topic_policy.heartbeat.policy).Statement[0].Action == "sns:Publish" && jsondecode(aws_sns_topic_policy.heartbeat.policy).Statement[0].Principal == "*"
    )
    error_message = "Heartbeats without TLS must be denied to everybody, and nobody allowed by the topic."
  }

  # The dead-man's switch.
  assert {
    condition = [for it in aws_cloudwatch_metric_alarm.heartbeat.metric_query : [it.metric[0].namespace, it.metric[0].metric_name, it.metric[0].dimensions["TopicName"], it.metric[0].stat] if it.id == "published"] == [
      ["AWS/SNS", "NumberOfMessagesPublished", "taskhub-test-heartbeat", "Sum"]
    ]
    error_message = "The heartbeats of this environment must be counted."
  }
  assert {
    condition     = [for it in aws_cloudwatch_metric_alarm.heartbeat.metric_query : it.expression if it.return_data == true] == ["FILL(published, 0)"]
    error_message = "No heartbeat must count as 0, and not as unknown."
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.heartbeat.treat_missing_data == "breaching"
    error_message = "A switch that never heard anything must alarm."
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.heartbeat.comparison_operator == "LessThanThreshold" && aws_cloudwatch_metric_alarm.heartbeat.threshold == 1
    error_message = "One heartbeat is life, none is not."
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.heartbeat.evaluation_periods == 3 && aws_cloudwatch_metric_alarm.heartbeat.datapoints_to_alarm == 3 && [for it in aws_cloudwatch_metric_alarm.heartbeat.metric_query : it.metric[0].period if it.id == "published"] == [300]
    error_message = "A quarter of an hour of silence must alarm."
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.heartbeat.alarm_actions == toset(var.alarm_topic_arns)
    error_message = "The switch tells nobody that it is silent."
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.heartbeat.ok_actions == toset(var.alarm_topic_arns)
    error_message = "The switch tells nobody that it hears again."
  }
}

run "weaker_settings_are_refused" {
  command = plan

  variables {
    name               = "TaskHub"
    log_retention_days = 0
    silent_minutes     = 5
    alarm_topic_arns   = []
  }

  expect_failures = [
    var.name,
    var.log_retention_days,
    var.silent_minutes,
    var.alarm_topic_arns,
  ]
}
