output "repositories" {
  description = "image.repository of the charts, by the image's name."
  value       = { for image in var.images : image => aws_ecr_repository.this[image].repository_url }
}

output "repository_arns" {
  description = "The repositories, for the role that pushes."
  value       = [for it in aws_ecr_repository.this : it.arn]
}
