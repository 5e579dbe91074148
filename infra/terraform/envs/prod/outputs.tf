output "chart_values" {
  description = "What the charts have to know of this environment, by chart."
  value       = module.taskhub.chart_values
}

output "url_secret_arns" {
  description = "Secrets with whole URLs, by the key that they become in the charts' Secret."
  value       = module.taskhub.url_secret_arns
}

output "database" {
  description = "Where PostgreSQL is, and the master's secret."
  value       = module.taskhub.database
}

output "cluster" {
  description = "The cluster's name and address."
  value       = module.taskhub.cluster
}

output "queue_url" {
  description = "keda.queueDepth.queueUrl of the sqs-consumer chart, when KEDA scales it."
  value       = module.taskhub.queue_url
}

output "heartbeat_topic_arn" {
  description = "Where Alertmanager publishes its Watchdog, for the dead-man's switch outside of the cluster."
  value       = module.taskhub.heartbeat_topic_arn
}

output "log_group" {
  description = "Where the pods' logs go, for what ships them."
  value       = module.taskhub.log_group
}

output "release_role_arn" {
  description = "The role that the release workflow assumes. Null: no repository is named."
  value       = module.taskhub.release_role_arn
}
