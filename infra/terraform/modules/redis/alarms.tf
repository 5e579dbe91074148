# What pages somebody about broker and cache, for each node of them.

locals {
  # Nodes are named by their group and their number.
  nodes = merge([
    for group, _ in local.groups : {
      for number in range(1, 2 + var.replicas) : "${group}-${format("%03d", number)}" => group
    }
  ]...)

  alarm_kinds = {
    memory-high = {
      description = "Over 80 % of the memory is used. A full broker refuses jobs: they wait in PostgreSQL."
      metric      = "DatabaseMemoryUsagePercentage"
      threshold   = 80
      periods     = 5
      groups      = ["broker"] # a cache is meant to be full
    }
    cpu-high = {
      description = "The one thread that answers commands has been over 80 % busy for ten minutes."
      metric      = "EngineCPUUtilization"
      threshold   = 80
      periods     = 10
      groups      = ["broker", "cache"]
    }
    replication-slow = {
      description = "A replica is over 10 s behind: a failover now would lose that much."
      metric      = "ReplicationLag"
      threshold   = 10
      periods     = 5
      groups      = ["broker"]
    }
  }

  alarms = merge([
    for kind, alarm in local.alarm_kinds : {
      for node, group in local.nodes : "${node}-${kind}" => merge(alarm, { node = node }) if contains(alarm.groups, group)
    }
  ]...)
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.description
  namespace           = "AWS/ElastiCache"
  metric_name         = each.value.metric
  dimensions          = { CacheClusterId = "${var.name}-${each.value.node}" }
  statistic           = "Average"
  period              = 60
  evaluation_periods  = each.value.periods
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.threshold
  # Only replicas report how far they are behind, and the primary changes; elsewhere silence is no health.
  treat_missing_data = each.value.metric == "ReplicationLag" ? "notBreaching" : "breaching"
  alarm_actions      = var.alarm_topic_arns
  ok_actions         = var.alarm_topic_arns

  depends_on = [aws_elasticache_replication_group.this]
}
