output "role_arn" {
  description = "The role that the release workflow assumes."
  value       = aws_iam_role.this.arn

  # Whoever takes it before it has its policy can do nothing with it.
  depends_on = [aws_iam_role_policy.push]
}
