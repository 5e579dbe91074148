# What pages somebody about PostgreSQL. A metric that is missing counts as broken: silence is no health.

locals {
  gib = 1024 * 1024 * 1024

  alarms = {
    disk-low = {
      description = "Less than 15 % of the disk's starting size is free. A full disk stops every write."
      metric      = "FreeStorageSpace"
      comparison  = "LessThanThreshold"
      threshold   = floor(var.storage_gib * local.gib * 0.15)
      periods     = 3
    }
    memory-low = {
      description = "Less than 256 MiB of memory is available: the instance is near to swapping or being killed."
      metric      = "FreeableMemory"
      comparison  = "LessThanThreshold"
      threshold   = 256 * 1024 * 1024
      periods     = 5
    }
    cpu-high = {
      description = "The processors have been over 85 % busy for a quarter of an hour."
      metric      = "CPUUtilization"
      comparison  = "GreaterThanThreshold"
      threshold   = 85
      periods     = 15
    }
    connections-high = {
      description = "More than 85 % of the connections are taken: the next rollout may find none."
      metric      = "DatabaseConnections"
      comparison  = "GreaterThanThreshold"
      threshold   = floor(var.max_connections * 0.85)
      periods     = 5
    }
    commit-slow = {
      description = "A write to the disks of both zones takes over 50 ms."
      metric      = "WriteLatency"
      comparison  = "GreaterThanThreshold"
      threshold   = 0.05
      periods     = 10
    }
    transaction-ids-low = {
      description = "Over a billion transaction ids are in use: at two billion PostgreSQL takes no more writes. Find what holds vacuum back."
      metric      = "MaximumUsedTransactionIDs"
      comparison  = "GreaterThanThreshold"
      threshold   = 1000000000
      periods     = 5
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name          = "${var.name}-postgres-${each.key}"
  alarm_description   = each.value.description
  namespace           = "AWS/RDS"
  metric_name         = each.value.metric
  dimensions          = { DBInstanceIdentifier = aws_db_instance.this.identifier }
  statistic           = "Average"
  period              = 60
  evaluation_periods  = each.value.periods
  comparison_operator = each.value.comparison
  threshold           = each.value.threshold
  treat_missing_data  = "breaching"
  alarm_actions       = var.alarm_topic_arns
  ok_actions          = var.alarm_topic_arns
}

resource "aws_db_event_subscription" "this" {
  for_each = toset(var.alarm_topic_arns)

  name_prefix      = "${substr(var.name, 0, 26)}-postgres-"
  sns_topic        = each.value
  source_type      = "db-instance"
  source_ids       = [aws_db_instance.this.identifier]
  event_categories = ["availability", "failover", "failure", "low storage", "maintenance", "recovery"]
}
