output "name" {
  description = "The cluster's name, for `aws eks update-kubeconfig` and the identity module."
  value       = aws_eks_cluster.this.name
}

output "arn" {
  description = "The cluster, for the identity module."
  value       = aws_eks_cluster.this.arn
}

output "endpoint" {
  description = "The Kubernetes API's address."
  value       = aws_eks_cluster.this.endpoint
}

output "certificate_authority" {
  description = "The CA of that address, base64."
  value       = aws_eks_cluster.this.certificate_authority[0].data
}

output "client_security_group_id" {
  description = "The security group of all nodes and pods: who may reach PostgreSQL and Redis."
  value       = aws_eks_cluster.this.vpc_config[0].cluster_security_group_id
}
