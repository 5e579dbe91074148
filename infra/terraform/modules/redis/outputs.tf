output "hosts" {
  description = "The primaries' names, broker and cache, which follow a failover."
  value       = { for group, it in aws_elasticache_replication_group.this : group => it.primary_endpoint_address }
}

output "url_secret_arns" {
  description = "The secrets with the whole URLs, by the variable (the key in the charts' Secret) that each is for."
  value       = { for group, it in local.groups : it.variable => aws_secretsmanager_secret.url[group].arn }
}

output "security_group_id" {
  description = "The security group of both."
  value       = aws_security_group.this.id
}

output "kms_key_arn" {
  description = "The key of disks, snapshots and these secrets: who reads the secrets needs kms:Decrypt on it."
  value       = aws_kms_key.this.arn
}
