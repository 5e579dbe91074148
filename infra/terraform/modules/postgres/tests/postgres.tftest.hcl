# Each durability and security setting of PostgreSQL, one by one. Nothing is made: the provider is a mock.

mock_provider "aws" {
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
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
  mock_resource "aws_db_proxy_default_target_group" {
    defaults = { name = "default" }
  }
  mock_resource "aws_security_group" {
    defaults = { id = "sg-0000000000000000d" }
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
  # An acknowledged commit is in two zones.
  assert {
    condition     = aws_db_instance.this.multi_az
    error_message = "Without Multi-AZ an acknowledged commit is in one zone only."
  }
  assert {
    condition     = one([for p in aws_db_parameter_group.this.parameter : p.value if p.name == "synchronous_commit"]) == "on"
    error_message = "synchronous_commit must stay on: a crash would lose acknowledged commits."
  }
  assert {
    condition     = aws_db_instance.this.parameter_group_name == aws_db_parameter_group.this.name
    error_message = "The instance does not use the parameter group."
  }
  assert {
    condition     = aws_db_parameter_group.this.family == "postgres17" && aws_db_instance.this.engine == "postgres"
    error_message = "The parameter group is not of the engine's family."
  }

  # Nothing is lost by deletion.
  assert {
    condition     = aws_db_instance.this.deletion_protection
    error_message = "Deletion protection must be on by default."
  }
  assert {
    condition     = !aws_db_instance.this.skip_final_snapshot
    error_message = "A deleted instance must leave a snapshot."
  }
  assert {
    condition     = aws_db_instance.this.final_snapshot_identifier == "taskhub-test-postgres-final"
    error_message = "The last snapshot has no name, so the deletion would fail or leave none."
  }
  assert {
    condition     = !aws_db_instance.this.delete_automated_backups
    error_message = "Automated backups must outlive the instance."
  }
  assert {
    condition     = aws_kms_key.this.deletion_window_in_days == 30
    error_message = "A deleted key takes every backup with it: keep the longest waiting time."
  }

  # Point in time recovery reaches back 14 days.
  assert {
    condition     = aws_db_instance.this.backup_retention_period == 14
    error_message = "Point-in-time recovery must reach back 14 days."
  }
  assert {
    condition     = aws_db_instance.this.copy_tags_to_snapshot
    error_message = "Snapshots must be found by the instance's tags."
  }

  # Only tls connections.
  assert {
    condition     = one([for p in aws_db_parameter_group.this.parameter : p.value if p.name == "rds.force_ssl"]) == "1"
    error_message = "rds.force_ssl must be 1: PostgreSQL would take connections without TLS."
  }
  assert {
    condition     = one([for p in aws_db_parameter_group.this.parameter : p.value if p.name == "ssl_min_protocol_version"]) == "TLSv1.2"
    error_message = "TLS older than 1.2 must be refused."
  }
  assert {
    condition     = aws_db_instance.this.ca_cert_identifier == "rds-ca-rsa2048-g1"
    error_message = "The certificate must be of a CA in the bundle that the charts mount."
  }

  # Everything at rest is encrypted by a key of its own.
  assert {
    condition     = aws_db_instance.this.storage_encrypted
    error_message = "The disk must be encrypted."
  }
  assert {
    condition     = aws_db_instance.this.kms_key_id == aws_kms_key.this.arn
    error_message = "The disk must be encrypted by the module's key, not the account's default."
  }
  assert {
    condition     = aws_db_instance.this.performance_insights_kms_key_id == aws_kms_key.this.arn
    error_message = "Statistics hold statements, so they are encrypted by the module's key."
  }
  assert {
    condition     = aws_kms_key.this.enable_key_rotation
    error_message = "The key must rotate."
  }

  # The master password is in no state file.
  assert {
    condition     = aws_db_instance.this.manage_master_user_password
    error_message = "RDS must make, keep and rotate the master's password."
  }
  assert {
    condition     = aws_db_instance.this.password == null
    error_message = "A password is in the configuration."
  }
  assert {
    condition     = aws_db_instance.this.master_user_secret_kms_key_id == aws_kms_key.this.key_id
    error_message = "The master's secret must be encrypted by the module's key."
  }

  # Only clients reach it.
  assert {
    condition     = !aws_db_instance.this.publicly_accessible
    error_message = "The instance must have no public address."
  }
  assert {
    condition     = aws_db_instance.this.vpc_security_group_ids == toset([aws_security_group.this.id])
    error_message = "The instance must be in the module's security group, and no other."
  }
  assert {
    condition     = [for rule in aws_vpc_security_group_ingress_rule.clients : rule.referenced_security_group_id] == ["sg-00000000000000001"]
    error_message = "Only the clients' group may connect."
  }
  assert {
    condition     = alltrue([for rule in aws_vpc_security_group_ingress_rule.clients : rule.from_port == 5432 && rule.to_port == 5432 && rule.cidr_ipv4 == null])
    error_message = "Only PostgreSQL's port, and no address ranges."
  }

  # Upgrades wait for people.
  assert {
    condition     = !aws_db_instance.this.allow_major_version_upgrade
    error_message = "A major upgrade must be a decision."
  }
  assert {
    condition     = !aws_db_instance.this.apply_immediately
    error_message = "A change that restarts the instance must wait for the maintenance window."
  }
  assert {
    condition     = aws_db_instance.this.auto_minor_version_upgrade
    error_message = "Security patches must be applied in the window."
  }

  # The disk grows before it is full.
  assert {
    condition     = aws_db_instance.this.max_allocated_storage > aws_db_instance.this.allocated_storage
    error_message = "The disk must be able to grow."
  }

  # Alarms reach somebody.
  assert {
    condition = toset(keys(aws_cloudwatch_metric_alarm.this)) == toset([
      "disk-low", "memory-low", "cpu-high", "connections-high", "commit-slow", "transaction-ids-low",
    ])
    error_message = "An alarm is missing."
  }
  assert {
    condition     = alltrue([for alarm in aws_cloudwatch_metric_alarm.this : alarm.alarm_actions == toset(var.alarm_topic_arns)])
    error_message = "An alarm tells nobody."
  }
  assert {
    condition     = alltrue([for alarm in aws_cloudwatch_metric_alarm.this : alarm.treat_missing_data == "breaching"])
    error_message = "A metric that is missing must count as broken."
  }
  assert {
    condition     = alltrue([for alarm in aws_cloudwatch_metric_alarm.this : alarm.dimensions["DBInstanceIdentifier"] == "taskhub-test-postgres"])
    error_message = "An alarm watches another instance."
  }
  assert {
    condition     = alltrue([for events in aws_db_event_subscription.this : contains(events.event_categories, "failover")])
    error_message = "A failover must be told."
  }

  # Logs are kept for 90 days.
  assert {
    condition     = alltrue([for kind in aws_db_instance.this.enabled_cloudwatch_logs_exports : aws_cloudwatch_log_group.this[kind].retention_in_days == 90])
    error_message = "A log that RDS exports has no group with a retention."
  }
  assert {
    condition     = aws_db_instance.this.performance_insights_enabled
    error_message = "Slow statements must be seen."
  }

  # No proxy unless asked for.
  assert {
    condition     = length(aws_db_proxy.this) == 0 && output.proxy_host == null
    error_message = "A proxy was made unasked."
  }
}

run "weaker_settings_are_refused" {
  command = plan

  variables {
    backup_retention_days     = 7
    subnet_ids                = ["subnet-0000000000000000a"]
    engine_version            = "16.4"
    storage_limit_gib         = 105
    client_security_group_ids = {}
    alarm_topic_arns          = ["taskhub-alarms"]
  }

  expect_failures = [
    var.backup_retention_days,
    var.subnet_ids,
    var.engine_version,
    var.storage_limit_gib,
    var.client_security_group_ids,
    var.alarm_topic_arns,
  ]
}

run "a_proxy_speaks_only_tls_and_reads_only_its_secrets" {
  variables {
    proxy = {
      secret_arns        = ["arn:aws:secretsmanager:eu-central-1:111122223333:secret:taskhub-app-AbCdEf"]
      secret_kms_key_arn = "arn:aws:kms:eu-central-1:111122223333:key/00000000-0000-4000-8000-000000000002"
    }
  }
  assert {
    condition     = aws_db_proxy.this["this"].require_tls
    error_message = "The proxy would take connections without TLS."
  }
  assert {
    condition = jsonencode(jsondecode(aws_iam_role_policy.proxy["this"].policy).Statement) == jsonencode([
      { Effect = "Allow", Action = "secretsmanager:GetSecretValue", Resource = var.proxy.secret_arns },
      { Effect = "Allow", Action = "kms:Decrypt", Resource = [var.proxy.secret_kms_key_arn] },
    ])
    error_message = "The proxy's role may do more, or less, than read the users' secrets."
  }
  assert {
    condition     = aws_db_proxy_default_target_group.this["this"].connection_pool_config[0].connection_borrow_timeout < 10
    error_message = "A request must hear of a full pool before its own deadline."
  }
}
