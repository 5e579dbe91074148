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
