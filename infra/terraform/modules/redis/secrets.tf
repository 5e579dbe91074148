# The passwords, and the URLs that hold them, as secrets for External Secrets to copy into the cluster.
#
# The password is drawn once and kept by its secret; only a new generation draws another. It is in Terraform's state too
# (ElastiCache has no write-only password), so the state must be encrypted and closed to all who may not read secrets.

data "aws_secretsmanager_random_password" "this" {
  for_each = local.groups

  password_length     = 64
  exclude_punctuation = true # it becomes part of a URL
}

resource "terraform_data" "password_generation" {
  input = var.password_generation
}

resource "aws_secretsmanager_secret" "password" {
  for_each = local.groups

  name_prefix             = "${var.name}-${each.key}-password-"
  description             = "Password of ${var.name}-${each.key}"
  kms_key_id              = aws_kms_key.this.arn
  recovery_window_in_days = 30
}

resource "aws_secretsmanager_secret_version" "password" {
  for_each = local.groups

  secret_id     = aws_secretsmanager_secret.password[each.key].id
  secret_string = data.aws_secretsmanager_random_password.this[each.key].random_password

  lifecycle {
    # The data source draws a new password at every plan.
    ignore_changes       = [secret_string]
    replace_triggered_by = [terraform_data.password_generation]
  }
}

resource "aws_secretsmanager_secret" "url" {
  for_each = local.groups

  name                    = "${var.name}/${each.value.variable}"
  description             = "${each.value.variable} of the charts"
  kms_key_id              = aws_kms_key.this.arn
  recovery_window_in_days = 30
}

resource "aws_secretsmanager_secret_version" "url" {
  for_each = local.groups

  secret_id = aws_secretsmanager_secret.url[each.key].id
  # The primary's name follows a failover. rediss: TLS, and the clients check the certificate by the system's CAs.
  secret_string = format(
    "rediss://:%s@%s:6379/0",
    aws_secretsmanager_secret_version.password[each.key].secret_string,
    aws_elasticache_replication_group.this[each.key].primary_endpoint_address,
  )
}
