output "heartbeat_topic_arn" {
  description = "Where Alertmanager publishes its Watchdog (sns_configs), and for the identity module."
  value       = aws_sns_topic.heartbeat.arn
}

output "kms_key_arn" {
  description = "The key of logs and heartbeats, for the identity module."
  value       = aws_kms_key.this.arn
}

output "log_group" {
  description = "Where the pods' logs go: the log group's name, for what ships them."
  value       = aws_cloudwatch_log_group.applications.name
}

output "log_group_arn" {
  description = "That log group, for the identity module."
  value       = aws_cloudwatch_log_group.applications.arn
}
