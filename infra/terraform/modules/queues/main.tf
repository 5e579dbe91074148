# The queue of events and its dead-letter queue.
#
# Standard queues, not FIFO: events may come twice and out of order, which the inbox and the versions make harmless, and
# nothing waits behind a message that cannot be processed. SQS keeps each message in several zones.
#
# A message keeps its age when it becomes a dead letter: the dead-letter queue keeps 14 days, the longest SQS does, and
# the queue itself less, so that people have days and not minutes to look at it and send it back.

resource "aws_kms_key" "this" {
  description             = "${var.name}: messages of the queue and of its dead-letter queue"
  enable_key_rotation     = true
  deletion_window_in_days = 30
}

resource "aws_kms_alias" "this" {
  name          = "alias/${var.name}"
  target_key_id = aws_kms_key.this.key_id
}

resource "aws_sqs_queue" "dead_letters" {
  name                              = "${var.name}-dlq"
  message_retention_seconds         = 14 * 24 * 3600
  visibility_timeout_seconds        = 30
  receive_wait_time_seconds         = 20
  kms_master_key_id                 = aws_kms_key.this.arn
  kms_data_key_reuse_period_seconds = 3600
}

resource "aws_sqs_queue" "events" {
  name                              = var.name
  message_retention_seconds         = var.retention_days * 24 * 3600
  visibility_timeout_seconds        = var.visibility_seconds
  receive_wait_time_seconds         = 20
  kms_master_key_id                 = aws_kms_key.this.arn
  kms_data_key_reuse_period_seconds = 3600
}

resource "aws_sqs_queue_redrive_policy" "events" {
  queue_url = aws_sqs_queue.events.id

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead_letters.arn
    maxReceiveCount     = var.max_receives
  })
}

# No other queue may use it for its own dead letters.
resource "aws_sqs_queue_redrive_allow_policy" "dead_letters" {
  queue_url = aws_sqs_queue.dead_letters.id

  redrive_allow_policy = jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = [aws_sqs_queue.events.arn]
  })
}

# Rights are given by the identity module's roles. This only takes away: nobody reaches the queues without TLS.
resource "aws_sqs_queue_policy" "tls_only" {
  for_each = { events = aws_sqs_queue.events, dead_letters = aws_sqs_queue.dead_letters }

  queue_url = each.value.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "TlsOnly"
      Effect    = "Deny"
      Principal = "*"
      Action    = "sqs:*"
      Resource  = each.value.arn
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })
}

locals {
  alarms = {
    dead-letters = {
      description = "An event could not be processed. Look at it with the operator API, repair the cause, send it back."
      queue       = aws_sqs_queue.dead_letters.name
      metric      = "ApproximateNumberOfMessagesVisible"
      threshold   = 0
      periods     = 1
    }
    events-late = {
      description = "The oldest event waits too long: the consumer is away, too slow, or what it writes to is."
      queue       = aws_sqs_queue.events.name
      metric      = "ApproximateAgeOfOldestMessage"
      threshold   = var.oldest_event_alarm_seconds
      periods     = 3
    }
    dead-letters-expire = {
      description = "A dead letter may expire within a day."
      queue       = aws_sqs_queue.dead_letters.name
      metric      = "ApproximateAgeOfOldestMessage"
      # Here the metric counts from the move, and the 14 days from the first sending: assume it waited as long as it could.
      threshold = (14 - var.retention_days - 1) * 24 * 3600
      periods   = 1
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.description
  namespace           = "AWS/SQS"
  metric_name         = each.value.metric
  dimensions          = { QueueName = each.value.queue }
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = each.value.periods
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.threshold
  # SQS stops reporting on a queue that nobody used for six hours. That it cannot be reached is the apps' own alert.
  treat_missing_data = "notBreaching"
  alarm_actions      = var.alarm_topic_arns
  ok_actions         = var.alarm_topic_arns
}
