output "role_arns" {
  description = "The role of each service account, by the account's name."
  value       = { for key, it in local.roles : it.service_account => aws_iam_role.this[key].arn }

  # Pods started before an association exists would run without credentials.
  depends_on = [aws_eks_pod_identity_association.this, aws_iam_role_policy.queues]
}

output "platform_role_arns" {
  description = "The role of each service account of the platform, by the account's name."
  value       = { for key, it in local.platform : it.service_account => aws_iam_role.platform[key].arn }

  depends_on = [aws_eks_pod_identity_association.platform, aws_iam_role_policy.platform]
}
