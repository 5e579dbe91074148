# Two replication groups: the broker, which carries jobs, and the cache with the rate limiter's counters.
#
# They are apart because they must do opposite things when memory is full: the broker refuses writes (noeviction: an
# evicted message would be work lost until the dispatcher republishes it), the cache drops what was used least. Neither
# is a truth: either may be wiped and nothing acknowledged is lost. Replication is asynchronous, so a failover (some 10
# to 30 s) may lose the last messages, which the dispatcher publishes again.
#
# ElastiCache ends Redis at 7.1 and goes on with Valkey, which speaks the same protocol. Cluster mode is off: Celery's
# transport works on keys of several slots at once.

locals {
  groups = {
    broker = {
      description = "Jobs on their way to workers"
      variable    = "TASKHUB_REDIS_URL"
      node_type   = var.broker_node_type
      eviction    = "noeviction"
      snapshots   = var.snapshot_retention_days
    }
    cache = {
      description = "Cached answers and the rate limiter"
      variable    = "TASKHUB_CACHE_URL"
      node_type   = var.cache_node_type
      eviction    = "allkeys-lru"
      snapshots   = 0
    }
  }
}

resource "aws_kms_key" "this" {
  description             = "${var.name}: ElastiCache's disks, snapshots and passwords"
  enable_key_rotation     = true
  deletion_window_in_days = 30
}

resource "aws_kms_alias" "this" {
  name          = "alias/${var.name}-redis"
  target_key_id = aws_kms_key.this.key_id
}

resource "aws_elasticache_subnet_group" "this" {
  name        = "${var.name}-redis"
  description = "Private subnets of ${var.name}"
  subnet_ids  = var.subnet_ids
}

resource "aws_elasticache_parameter_group" "this" {
  for_each = local.groups

  name        = "${var.name}-${each.key}-valkey8"
  description = "${var.name}: ${each.key}"
  family      = "valkey8"

  parameter {
    name  = "maxmemory-policy"
    value = each.value.eviction
  }

  # A killed client's connection is noticed and its blocked pop given back.
  parameter {
    name  = "tcp-keepalive"
    value = "30"
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_security_group" "this" {
  name_prefix = "${var.name}-redis-"
  description = "Broker and cache of ${var.name}: from their clients only"
  vpc_id      = var.vpc_id

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_vpc_security_group_ingress_rule" "clients" {
  for_each = var.client_security_group_ids

  security_group_id            = aws_security_group.this.id
  description                  = "Redis protocol from ${each.key}"
  referenced_security_group_id = each.value
  ip_protocol                  = "tcp"
  from_port                    = 6379
  to_port                      = 6379
}

resource "aws_cloudwatch_log_group" "this" {
  for_each = local.groups

  name              = "/aws/elasticache/${var.name}-${each.key}"
  retention_in_days = 90
}

resource "aws_elasticache_replication_group" "this" {
  for_each = local.groups

  replication_group_id = "${var.name}-${each.key}"
  description          = each.value.description

  engine                     = "valkey"
  engine_version             = var.engine_version
  auto_minor_version_upgrade = true
  node_type                  = each.value.node_type
  parameter_group_name       = aws_elasticache_parameter_group.this[each.key].name
  port                       = 6379

  num_cache_clusters         = 1 + var.replicas
  automatic_failover_enabled = true
  multi_az_enabled           = true

  subnet_group_name  = aws_elasticache_subnet_group.this.name
  security_group_ids = [aws_security_group.this.id]

  transit_encryption_enabled = true
  transit_encryption_mode    = "required"
  auth_token                 = aws_secretsmanager_secret_version.password[each.key].secret_string
  auth_token_update_strategy = "ROTATE"
  at_rest_encryption_enabled = true
  kms_key_id                 = aws_kms_key.this.arn

  snapshot_retention_limit = each.value.snapshots
  snapshot_window          = each.value.snapshots > 0 ? "02:00-03:00" : null
  maintenance_window       = "sun:03:30-sun:04:30"
  notification_topic_arn   = try(var.alarm_topic_arns[0], null)
  apply_immediately        = false

  log_delivery_configuration {
    destination      = aws_cloudwatch_log_group.this[each.key].name
    destination_type = "cloudwatch-logs"
    log_format       = "json"
    log_type         = "slow-log"
  }
}
