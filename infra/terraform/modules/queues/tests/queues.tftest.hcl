# Each security and durability setting of the queues, one by one. Nothing is made: the provider is a mock.

mock_provider "aws" {
  mock_resource "aws_kms_key" {
    defaults = {
      arn    = "arn:aws:kms:eu-central-1:111122223333:key/00000000-0000-4000-8000-000000000001"
      key_id = "00000000-0000-4000-8000-000000000001"
    }
  }
  override_resource {
    target = aws_sqs_queue.events
    values = { arn = "arn:aws:sqs:eu-central-1:111122223333:taskhub-events" }
  }
  override_resource {
    target = aws_sqs_queue.dead_letters
    values = { arn = "arn:aws:sqs:eu-central-1:111122223333:taskhub-events-dlq" }
  }
}

variables {
  alarm_topic_arns = ["arn:aws:sns:eu-central-1:111122223333:taskhub-alarms"]
}

# One run for all that the defaults promise: each run starts the provider anew, which takes longer than the assertions.
run "by_default" {
  # The names are the charts' defaults.
  assert {
    condition     = output.name == "taskhub-events" && output.dlq_name == "taskhub-events-dlq"
    error_message = "The queues' names must be the defaults of queue.name and queue.dlqName."
  }

  # A message that cannot be processed is kept, for as long as SQS keeps one.
  assert {
    condition     = jsondecode(aws_sqs_queue_redrive_policy.events.redrive_policy).deadLetterTargetArn == aws_sqs_queue.dead_letters.arn
    error_message = "Events that fail must go to the dead-letter queue."
  }
  assert {
    condition     = jsondecode(aws_sqs_queue_redrive_policy.events.redrive_policy).maxReceiveCount == 5
    error_message = "An event must be tried five times."
  }
  assert {
    condition     = aws_sqs_queue.dead_letters.message_retention_seconds == 1209600
    error_message = "Dead letters must be kept for 14 days."
  }
  assert {
    condition     = aws_sqs_queue.dead_letters.message_retention_seconds - aws_sqs_queue.events.message_retention_seconds >= 4 * 24 * 3600
    error_message = "An event keeps its age as a dead letter: at least four days must be left."
  }
  assert {
    condition     = aws_sqs_queue.events.message_retention_seconds == 604800
    error_message = "Events must wait for a week."
  }
  assert {
    condition     = jsondecode(aws_sqs_queue_redrive_allow_policy.dead_letters.redrive_allow_policy).redrivePermission == "byQueue"
    error_message = "Other queues must not use the dead-letter queue."
  }
  assert {
    condition     = jsondecode(aws_sqs_queue_redrive_allow_policy.dead_letters.redrive_allow_policy).sourceQueueArns == [aws_sqs_queue.events.arn]
    error_message = "Only the queue of events may use the dead-letter queue."
  }
  assert {
    condition     = aws_sqs_queue.events.visibility_timeout_seconds == 60
    error_message = "The visibility timeout must be the consumer's."
  }
  assert {
    condition     = aws_sqs_queue.events.receive_wait_time_seconds == 20
    error_message = "Receives must wait for messages: short polling misses some and costs more."
  }

  # Encrypted at rest and on the way.
  assert {
    condition     = aws_sqs_queue.events.kms_master_key_id == aws_kms_key.this.arn
    error_message = "The queue must be encrypted by the module's key."
  }
  assert {
    condition     = aws_sqs_queue.dead_letters.kms_master_key_id == aws_kms_key.this.arn
    error_message = "The dead-letter queue must be encrypted by the module's key."
  }
  assert {
    condition     = aws_kms_key.this.enable_key_rotation && aws_kms_key.this.deletion_window_in_days == 30
    error_message = "The key must rotate, and wait longest before it is deleted."
  }
  assert {
    condition = alltrue([
      for it in aws_sqs_queue_policy.tls_only : jsondecode(it.policy).Statement[0].Effect == "Deny"
      && jsondecode(it.policy).Statement[0].Condition.Bool["aws:SecureTransport"] == "false"
      && jsondecode(it.policy).Statement[0].Action == "sqs:*" && jsondecode(it.policy).Statement[0].Principal == "*"
    ])
    error_message = "Requests without TLS must be denied to everybody."
  }
  assert {
    condition     = toset([for it in aws_sqs_queue_policy.tls_only : jsondecode(it.policy).Statement[0].Resource]) == toset([aws_sqs_queue.events.arn, aws_sqs_queue.dead_letters.arn])
    error_message = "Both queues need the policy."
  }

  # Alarms reach somebody.
  assert {
    condition     = toset(keys(aws_cloudwatch_metric_alarm.this)) == toset(["dead-letters", "events-late", "dead-letters-expire"])
    error_message = "An alarm is missing."
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.this["dead-letters"].threshold == 0 && aws_cloudwatch_metric_alarm.this["dead-letters"].dimensions["QueueName"] == "taskhub-events-dlq"
    error_message = "One dead letter is enough for an alarm."
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.this["events-late"].threshold == 300 && aws_cloudwatch_metric_alarm.this["events-late"].dimensions["QueueName"] == "taskhub-events"
    error_message = "Events that wait for five minutes need an alarm."
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.this["dead-letters-expire"].threshold == 6 * 24 * 3600
    error_message = "The alarm must come a day before a dead letter can be gone, however long it waited in the queue."
  }
  assert {
    condition     = alltrue([for alarm in aws_cloudwatch_metric_alarm.this : alarm.alarm_actions == toset(var.alarm_topic_arns)])
    error_message = "An alarm tells nobody."
  }
}

run "weaker_settings_are_refused" {
  command = plan

  variables {
    name                       = "taskhub.events"
    visibility_seconds         = 10
    max_receives               = 1
    retention_days             = 14
    oldest_event_alarm_seconds = 10
  }

  expect_failures = [
    var.name,
    var.visibility_seconds,
    var.max_receives,
    var.retention_days,
    var.oldest_event_alarm_seconds,
  ]
}
