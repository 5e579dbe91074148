output "host" {
  description = "The instance's own name, which follows a failover. For TASKHUB_DATABASE_URL, or with a proxy for database.directUrlKey."
  value       = aws_db_instance.this.address
}

output "port" {
  description = "The instance's port."
  value       = aws_db_instance.this.port
}

output "database" {
  description = "The database's name."
  value       = aws_db_instance.this.db_name
}

output "proxy_host" {
  description = "The proxy's name for TASKHUB_DATABASE_URL. Null: there is no proxy."
  value       = one([for proxy in aws_db_proxy.this : proxy.endpoint])
}

output "identifier" {
  description = "The instance's identifier, for restores and dashboards."
  value       = aws_db_instance.this.identifier
}

output "master_secret_arn" {
  description = "The secret in which RDS keeps and rotates the master's password. No workload may read it."
  value       = one(aws_db_instance.this.master_user_secret[*].secret_arn)
}

output "security_group_id" {
  description = "The instance's security group."
  value       = aws_security_group.this.id
}

output "kms_key_arn" {
  description = "The key of disk, snapshots and master password."
  value       = aws_kms_key.this.arn
}
