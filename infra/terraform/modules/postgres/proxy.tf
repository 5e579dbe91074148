# The optional RDS Proxy. It speaks only TLS, to clients and to the instance.

locals {
  proxies = var.proxy == null ? {} : { this = var.proxy }
}

resource "aws_security_group" "proxy" {
  for_each = local.proxies

  name_prefix = "${var.name}-postgres-proxy-"
  description = "RDS Proxy of ${var.name}: from its clients, to PostgreSQL"
  vpc_id      = var.vpc_id

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_vpc_security_group_ingress_rule" "proxy_clients" {
  for_each = var.proxy == null ? {} : var.client_security_group_ids

  security_group_id            = aws_security_group.proxy["this"].id
  description                  = "PostgreSQL from ${each.key}"
  referenced_security_group_id = each.value
  ip_protocol                  = "tcp"
  from_port                    = 5432
  to_port                      = 5432
}

resource "aws_vpc_security_group_egress_rule" "proxy_to_postgres" {
  for_each = local.proxies

  security_group_id            = aws_security_group.proxy["this"].id
  description                  = "To PostgreSQL"
  referenced_security_group_id = aws_security_group.this.id
  ip_protocol                  = "tcp"
  from_port                    = 5432
  to_port                      = 5432
}

resource "aws_vpc_security_group_ingress_rule" "postgres_from_proxy" {
  for_each = local.proxies

  security_group_id            = aws_security_group.this.id
  description                  = "PostgreSQL from RDS Proxy"
  referenced_security_group_id = aws_security_group.proxy["this"].id
  ip_protocol                  = "tcp"
  from_port                    = 5432
  to_port                      = 5432
}

resource "aws_iam_role" "proxy" {
  for_each = local.proxies

  name_prefix = "${substr(var.name, 0, 26)}-rds-proxy-"
  description = "Lets RDS Proxy read the database users' secrets, and nothing else"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "rds.amazonaws.com" }
    }]
  })
}

resource "aws_iam_role_policy" "proxy" {
  for_each = local.proxies

  name = "secrets"
  role = aws_iam_role.proxy["this"].name

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [{
        Effect   = "Allow"
        Action   = "secretsmanager:GetSecretValue"
        Resource = each.value.secret_arns
      }],
      each.value.secret_kms_key_arn == null ? [] : [{
        Effect   = "Allow"
        Action   = "kms:Decrypt"
        Resource = [each.value.secret_kms_key_arn]
      }],
    )
  })
}

resource "aws_db_proxy" "this" {
  for_each = local.proxies

  name                   = "${var.name}-postgres"
  engine_family          = "POSTGRESQL"
  require_tls            = true
  debug_logging          = false
  idle_client_timeout    = 1800
  role_arn               = aws_iam_role.proxy["this"].arn
  vpc_subnet_ids         = var.subnet_ids
  vpc_security_group_ids = [aws_security_group.proxy["this"].id]

  dynamic "auth" {
    for_each = each.value.secret_arns

    content {
      auth_scheme               = "SECRETS"
      client_password_auth_type = "POSTGRES_SCRAM_SHA_256"
      iam_auth                  = "DISABLED"
      secret_arn                = auth.value
    }
  }
}

resource "aws_db_proxy_default_target_group" "this" {
  for_each = local.proxies

  db_proxy_name = aws_db_proxy.this["this"].name

  connection_pool_config {
    # The rest is for migrations, backups of the indices and people.
    max_connections_percent      = 80
    max_idle_connections_percent = 40
    # Shorter than the API's deadline: a request gets its 503 in time.
    connection_borrow_timeout = 5
  }
}

resource "aws_db_proxy_target" "this" {
  for_each = local.proxies

  db_proxy_name          = aws_db_proxy.this["this"].name
  target_group_name      = aws_db_proxy_default_target_group.this["this"].name
  db_instance_identifier = aws_db_instance.this.identifier
}
