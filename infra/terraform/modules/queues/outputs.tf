output "name" {
  description = "queue.name of the charts."
  value       = aws_sqs_queue.events.name
}

output "dlq_name" {
  description = "queue.dlqName of the charts."
  value       = aws_sqs_queue.dead_letters.name
}

output "url" {
  description = "keda.queueDepth.queueUrl of the sqs-consumer chart."
  value       = aws_sqs_queue.events.url
}

output "arn" {
  description = "The queue, for the identity module."
  value       = aws_sqs_queue.events.arn
}

output "dlq_arn" {
  description = "The dead-letter queue, for the identity module."
  value       = aws_sqs_queue.dead_letters.arn
}

output "kms_key_arn" {
  description = "The key of both, for the identity module."
  value       = aws_kms_key.this.arn
}
