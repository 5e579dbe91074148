output "certificate_arn" {
  description = "The issued certificate, for the annotation certificate-arn of the API's Ingress."
  value       = aws_acm_certificate_validation.this.certificate_arn
}

output "load_balancer" {
  description = "The load balancer that the host leads to. Null: none yet."
  value       = one(data.aws_lb.this[*].name)
}
