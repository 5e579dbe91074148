# What watches the watchers, from outside the cluster, and where logs are kept.
#
# Prometheus, Alertmanager and Grafana run in the cluster (argocd/platform, kube-prometheus-stack), not as Amazon Managed
# Prometheus: the rules, their tests and the dashboards are then the same on kind and on EKS. What that costs is that they
# fall with the cluster. So Alertmanager has to say all the time that it lives, and CloudWatch alarms when it stops.

data "aws_partition" "current" {}
data "aws_region" "current" {}
data "aws_caller_identity" "current" {}

locals {
  root  = "arn:${data.aws_partition.current.partition}:iam::${data.aws_caller_identity.current.account_id}:root"
  logs  = "arn:${data.aws_partition.current.partition}:logs:${data.aws_region.current.name}:${data.aws_caller_identity.current.account_id}"
  group = "/taskhub/${var.name}/applications"
}

resource "aws_kms_key" "this" {
  description             = "${var.name}: logs and heartbeats"
  enable_key_rotation     = true
  deletion_window_in_days = 30

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "RightsAreGivenByIam"
        Effect    = "Allow"
        Principal = { AWS = local.root }
        Action    = "kms:*"
        Resource  = "*"
      },
      {
        Sid       = "Logs"
        Effect    = "Allow"
        Principal = { Service = "logs.${data.aws_region.current.name}.amazonaws.com" }
        Action    = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncryptFrom", "kms:ReEncryptTo", "kms:GenerateDataKey", "kms:DescribeKey"]
        Resource  = "*"
        # For this group and no other.
        Condition = { ArnEquals = { "kms:EncryptionContext:aws:logs:arn" = "${local.logs}:log-group:${local.group}" } }
      },
    ]
  })
}

resource "aws_kms_alias" "this" {
  name          = "alias/${var.name}-observability"
  target_key_id = aws_kms_key.this.key_id
}

# Of all pods, by Fluent Bit on each node (argocd/platform). Those of EKS, PostgreSQL, Redis and the network have groups of their own.
resource "aws_cloudwatch_log_group" "applications" {
  name              = local.group
  retention_in_days = var.log_retention_days
  kms_key_id        = aws_kms_key.this.arn
}

# The dead-man's switch. Alertmanager publishes its Watchdog here, and SNS counts it: no program of ours is between them.
resource "aws_sns_topic" "heartbeat" {
  name              = "${var.name}-heartbeat"
  kms_master_key_id = aws_kms_key.this.arn
}

# The right to publish is given by the identity module's role. This only takes away: nobody publishes without TLS.
resource "aws_sns_topic_policy" "heartbeat" {
  arn = aws_sns_topic.heartbeat.arn

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "TlsOnly"
      Effect    = "Deny"
      Principal = "*"
      Action    = "sns:Publish"
      Resource  = aws_sns_topic.heartbeat.arn
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })
}

resource "aws_cloudwatch_metric_alarm" "heartbeat" {
  alarm_name          = "${var.name}-alerting-silent"
  alarm_description   = "Alertmanager of ${var.name} has not been heard for ${var.silent_minutes} minutes: nobody would be paged. See observability/runbooks/Watchdog.md."
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  evaluation_periods  = var.silent_minutes / 5
  datapoints_to_alarm = var.silent_minutes / 5
  # SNS counts nothing where nothing was published. A gap is 0 at once, and a topic that never heard anything is no health.
  treat_missing_data = "breaching"
  alarm_actions      = var.alarm_topic_arns
  ok_actions         = var.alarm_topic_arns

  metric_query {
    id          = "heard"
    expression  = "FILL(published, 0)"
    label       = "Heartbeats"
    return_data = true
  }

  metric_query {
    id = "published"

    metric {
      namespace   = "AWS/SNS"
      metric_name = "NumberOfMessagesPublished"
      dimensions  = { TopicName = aws_sns_topic.heartbeat.name }
      stat        = "Sum"
      # SNS sends its numbers every five minutes.
      period = 300
    }
  }
}
