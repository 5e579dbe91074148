# Each security and durability setting of broker and cache, one by one. Nothing is made: the provider is a mock.

mock_provider "aws" {
  mock_resource "aws_kms_key" {
    defaults = {
      arn    = "arn:aws:kms:eu-central-1:111122223333:key/00000000-0000-4000-8000-000000000001"
      key_id = "00000000-0000-4000-8000-000000000001"
    }
  }
  mock_resource "aws_secretsmanager_secret" {
    defaults = {
      arn = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:mock-AbCdEf"
      id  = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:mock-AbCdEf"
    }
  }
  mock_data "aws_secretsmanager_random_password" {
    defaults = { random_password = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef" }
  }
  mock_resource "aws_elasticache_replication_group" {
    defaults = { primary_endpoint_address = "primary.mock.euc1.cache.amazonaws.com" }
  }
}

variables {
  name                      = "taskhub-test"
  vpc_id                    = "vpc-00000000000000001"
  subnet_ids                = ["subnet-0000000000000000a", "subnet-0000000000000000b", "subnet-0000000000000000c"]
  client_security_group_ids = { nodes = "sg-00000000000000001" }
  alarm_topic_arns          = ["arn:aws:sns:eu-central-1:111122223333:taskhub-alarms"]
}

# One run for all that the defaults promise: each run starts the provider anew, which takes longer than the assertions.
run "by_default" {
  # Broker and cache are apart.
  assert {
    condition     = toset(keys(aws_elasticache_replication_group.this)) == toset(["broker", "cache"])
    error_message = "There must be two replication groups."
  }
  assert {
    condition     = one([for p in aws_elasticache_parameter_group.this["broker"].parameter : p.value if p.name == "maxmemory-policy"]) == "noeviction"
    error_message = "The broker must refuse writes when it is full: an evicted message is lost work."
  }
  assert {
    condition     = one([for p in aws_elasticache_parameter_group.this["cache"].parameter : p.value if p.name == "maxmemory-policy"]) == "allkeys-lru"
    error_message = "The cache must drop what was used least."
  }
  assert {
    condition     = alltrue([for group, it in aws_elasticache_replication_group.this : it.parameter_group_name == aws_elasticache_parameter_group.this[group].name])
    error_message = "A group does not use its parameter group."
  }

  # They survive the loss of a zone.
  assert {
    condition     = alltrue([for it in aws_elasticache_replication_group.this : it.automatic_failover_enabled])
    error_message = "Failover must be automatic."
  }
  assert {
    condition     = alltrue([for it in aws_elasticache_replication_group.this : it.multi_az_enabled])
    error_message = "The replica must be in another zone."
  }
  assert {
    condition     = alltrue([for it in aws_elasticache_replication_group.this : it.num_cache_clusters == 2])
    error_message = "Each primary needs a replica."
  }

  # Only TLS, and only with the password.
  assert {
    condition     = alltrue([for it in aws_elasticache_replication_group.this : it.transit_encryption_enabled])
    error_message = "TLS must be on."
  }
  assert {
    condition     = alltrue([for it in aws_elasticache_replication_group.this : it.transit_encryption_mode == "required"])
    error_message = "Connections without TLS must be refused."
  }
  assert {
    condition     = alltrue([for group, it in aws_elasticache_replication_group.this : it.auth_token == aws_secretsmanager_secret_version.password[group].secret_string])
    error_message = "Each group must ask for the password of its secret."
  }
  assert {
    condition     = alltrue([for it in data.aws_secretsmanager_random_password.this : it.password_length == 64 && it.exclude_punctuation])
    error_message = "The password must be long, and must fit into a URL as it is."
  }
  assert {
    condition     = alltrue([for it in aws_elasticache_replication_group.this : it.auth_token_update_strategy == "ROTATE"])
    error_message = "A rotation must leave the old password valid for the pods that run."
  }
  assert {
    condition     = alltrue([for it in aws_secretsmanager_secret_version.url : startswith(it.secret_string, "rediss://:0123") && endswith(it.secret_string, "@primary.mock.euc1.cache.amazonaws.com:6379/0")])
    error_message = "The URLs must be rediss:// (TLS), with the password, to the primary."
  }
  assert {
    condition     = toset(keys(output.url_secret_arns)) == toset(["TASKHUB_REDIS_URL", "TASKHUB_CACHE_URL"])
    error_message = "The secrets must be named by the keys that the charts read."
  }

  # Everything at rest is encrypted by a key of its own.
  assert {
    condition     = alltrue([for it in aws_elasticache_replication_group.this : it.at_rest_encryption_enabled])
    error_message = "Disks and snapshots must be encrypted."
  }
  assert {
    condition     = alltrue([for it in aws_elasticache_replication_group.this : it.kms_key_id == aws_kms_key.this.arn])
    error_message = "Disks and snapshots must be encrypted by the module's key."
  }
  assert {
    condition     = alltrue([for it in concat(values(aws_secretsmanager_secret.password), values(aws_secretsmanager_secret.url)) : it.kms_key_id == aws_kms_key.this.arn])
    error_message = "Secrets must be encrypted by the module's key."
  }
  assert {
    condition     = aws_kms_key.this.enable_key_rotation && aws_kms_key.this.deletion_window_in_days == 30
    error_message = "The key must rotate, and wait longest before it is deleted."
  }

  # The broker has snapshots.
  assert {
    condition     = aws_elasticache_replication_group.this["broker"].snapshot_retention_limit == 7
    error_message = "The broker's snapshots must be kept for a week."
  }
  assert {
    condition     = aws_elasticache_replication_group.this["cache"].snapshot_retention_limit == 0
    error_message = "A snapshot of the cache costs and helps nobody."
  }

  # Only clients reach them.
  assert {
    condition     = alltrue([for it in aws_elasticache_replication_group.this : it.security_group_ids == toset([aws_security_group.this.id])])
    error_message = "Both must be in the module's security group, and no other."
  }
  assert {
    condition     = [for rule in aws_vpc_security_group_ingress_rule.clients : rule.referenced_security_group_id] == ["sg-00000000000000001"]
    error_message = "Only the clients' group may connect."
  }
  assert {
    condition     = alltrue([for rule in aws_vpc_security_group_ingress_rule.clients : rule.from_port == 6379 && rule.to_port == 6379 && rule.cidr_ipv4 == null])
    error_message = "Only the Redis port, and no address ranges."
  }

  # Changes wait for the maintenance window.
  assert {
    condition     = alltrue([for it in aws_elasticache_replication_group.this : !it.apply_immediately && it.auto_minor_version_upgrade])
    error_message = "Changes that fail over must wait for the window, and patches must not be left out."
  }

  # Alarms reach somebody.
  assert {
    condition = toset(keys(aws_cloudwatch_metric_alarm.this)) == toset([
      "broker-001-memory-high", "broker-002-memory-high", "broker-001-replication-slow", "broker-002-replication-slow",
      "broker-001-cpu-high", "broker-002-cpu-high", "cache-001-cpu-high", "cache-002-cpu-high",
    ])
    error_message = "A node has no alarm, or one too many."
  }
  assert {
    condition     = alltrue([for alarm in aws_cloudwatch_metric_alarm.this : alarm.alarm_actions == toset(var.alarm_topic_arns)])
    error_message = "An alarm tells nobody."
  }
  assert {
    condition     = alltrue([for name, alarm in aws_cloudwatch_metric_alarm.this : startswith("taskhub-test-${name}", alarm.dimensions["CacheClusterId"])])
    error_message = "An alarm watches another node."
  }
  assert {
    condition     = alltrue([for name, alarm in aws_cloudwatch_metric_alarm.this : alarm.treat_missing_data == "breaching" || endswith(name, "replication-slow")])
    error_message = "A metric that is missing must count as broken."
  }
  assert {
    condition     = alltrue([for it in aws_elasticache_replication_group.this : it.notification_topic_arn == var.alarm_topic_arns[0]])
    error_message = "A failover must be told."
  }
}

run "weaker_settings_are_refused" {
  command = plan

  variables {
    name                      = "taskhub-with-a-name-that-is-far-too-long"
    subnet_ids                = ["subnet-0000000000000000a"]
    replicas                  = 0
    engine_version            = "7.2"
    snapshot_retention_days   = 0
    client_security_group_ids = {}
    password_generation       = 0
  }

  expect_failures = [
    var.name,
    var.subnet_ids,
    var.replicas,
    var.engine_version,
    var.snapshot_retention_days,
    var.client_security_group_ids,
    var.password_generation,
  ]
}
