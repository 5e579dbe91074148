output "vpc_id" {
  description = "The VPC."
  value       = aws_vpc.this.id
}

output "cidr" {
  description = "Its addresses: TASKHUB_TRUSTED_PROXIES, and the peers of the network policies."
  value       = aws_vpc.this.cidr_block
}

output "private_subnet_ids" {
  description = "One private subnet a zone, for nodes and databases."
  value       = [for zone in var.zones : aws_subnet.private[zone].id]
}

output "public_subnet_ids" {
  description = "One public subnet a zone, for load balancers."
  value       = [for zone in var.zones : aws_subnet.public[zone].id]
}
