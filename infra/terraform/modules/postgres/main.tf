# PostgreSQL, the only truth: RDS with a synchronous standby in another zone.
#
# An acknowledged commit is on the disks of two zones (Multi-AZ replicates synchronously; synchronous_commit stays on).
# A failover moves the DNS name to the standby, usually within 60 to 120 s; clients see lost connections, which the API
# retries within its deadline, then 503 with Retry-After. Beyond that, point-in-time recovery reaches back 14 days with
# an RPO of about 5 minutes, and the last snapshot outlives the instance.
#
# The master's password is made, kept and rotated by RDS in Secrets Manager: it is in no state file. It is for making the
# application's own role once, and for emergencies; the applications' URL (TASKHUB_DATABASE_URL) names that other role.

data "aws_partition" "current" {}

resource "aws_kms_key" "this" {
  description             = "${var.name}: PostgreSQL's disk, snapshots, master password and query statistics"
  enable_key_rotation     = true
  deletion_window_in_days = 30
}

resource "aws_kms_alias" "this" {
  name          = "alias/${var.name}-postgres"
  target_key_id = aws_kms_key.this.key_id
}

resource "aws_db_subnet_group" "this" {
  name        = "${var.name}-postgres"
  description = "Private subnets of ${var.name}"
  subnet_ids  = var.subnet_ids
}

resource "aws_db_parameter_group" "this" {
  name_prefix = "${var.name}-postgres17-"
  description = "${var.name}: TLS only, durable commits, slow statements and lock waits logged"
  family      = "postgres17"

  # Without TLS there is no connection.
  parameter {
    name  = "rds.force_ssl"
    value = "1"
  }

  parameter {
    name  = "ssl_min_protocol_version"
    value = "TLSv1.2"
  }

  # The default, held here so that nobody trades an acknowledged write for speed unnoticed.
  parameter {
    name  = "synchronous_commit"
    value = "on"
  }

  parameter {
    name         = "max_connections"
    value        = tostring(var.max_connections)
    apply_method = "pending-reboot"
  }

  parameter {
    name         = "shared_preload_libraries"
    value        = "pg_stat_statements"
    apply_method = "pending-reboot"
  }

  # A killed client's connection is noticed in about 30 s, and its locks with it.
  parameter {
    name  = "tcp_keepalives_idle"
    value = "15"
  }

  parameter {
    name  = "tcp_keepalives_interval"
    value = "5"
  }

  parameter {
    name  = "tcp_keepalives_count"
    value = "3"
  }

  parameter {
    name  = "log_min_duration_statement"
    value = "1000"
  }

  parameter {
    name  = "log_lock_waits"
    value = "1"
  }

  # The queue and outbox tables change all the time: bloat is cleared early and shown in the log.
  parameter {
    name  = "log_autovacuum_min_duration"
    value = "10000"
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_security_group" "this" {
  name_prefix = "${var.name}-postgres-"
  description = "PostgreSQL of ${var.name}: from its clients only"
  vpc_id      = var.vpc_id

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_vpc_security_group_ingress_rule" "clients" {
  for_each = var.client_security_group_ids

  security_group_id            = aws_security_group.this.id
  description                  = "PostgreSQL from ${each.key}"
  referenced_security_group_id = each.value
  ip_protocol                  = "tcp"
  from_port                    = 5432
  to_port                      = 5432
}

resource "aws_db_instance" "this" {
  identifier = "${var.name}-postgres"
  db_name    = "taskhub"

  engine                      = "postgres"
  engine_version              = var.engine_version
  auto_minor_version_upgrade  = true
  allow_major_version_upgrade = false
  instance_class              = var.instance_class
  parameter_group_name        = aws_db_parameter_group.this.name
  ca_cert_identifier          = "rds-ca-rsa2048-g1"

  multi_az               = true
  db_subnet_group_name   = aws_db_subnet_group.this.name
  vpc_security_group_ids = [aws_security_group.this.id]
  publicly_accessible    = false

  allocated_storage     = var.storage_gib
  max_allocated_storage = var.storage_limit_gib
  storage_type          = "gp3"
  storage_encrypted     = true
  kms_key_id            = aws_kms_key.this.arn

  username                      = "taskhub_master"
  manage_master_user_password   = true
  master_user_secret_kms_key_id = aws_kms_key.this.key_id

  backup_retention_period   = var.backup_retention_days
  backup_window             = "02:00-03:00"
  maintenance_window        = "sun:03:30-sun:04:30"
  copy_tags_to_snapshot     = true
  delete_automated_backups  = false
  deletion_protection       = var.deletion_protection
  skip_final_snapshot       = false
  final_snapshot_identifier = "${var.name}-postgres-final"
  apply_immediately         = false

  performance_insights_enabled          = true
  performance_insights_kms_key_id       = aws_kms_key.this.arn
  performance_insights_retention_period = 7
  monitoring_interval                   = 30
  monitoring_role_arn                   = aws_iam_role.monitoring.arn
  enabled_cloudwatch_logs_exports       = ["postgresql", "upgrade"]

  depends_on = [aws_iam_role_policy_attachment.monitoring, aws_cloudwatch_log_group.this]
}

# Made here and not by RDS, which would keep the logs for ever.
resource "aws_cloudwatch_log_group" "this" {
  for_each = toset(["postgresql", "upgrade"])

  name              = "/aws/rds/instance/${var.name}-postgres/${each.key}"
  retention_in_days = 90
}

resource "aws_iam_role" "monitoring" {
  name_prefix = "${substr(var.name, 0, 26)}-rds-mon-"
  description = "Lets RDS write the instance's operating system metrics"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "monitoring.rds.amazonaws.com" }
    }]
  })
}

resource "aws_iam_role_policy_attachment" "monitoring" {
  role       = aws_iam_role.monitoring.name
  policy_arn = "arn:${data.aws_partition.current.partition}:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole"
}
