# What the network promises, one by one. Nothing is made: the provider is a mock.

mock_provider "aws" {
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::111122223333:role/mock" }
  }
  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:eu-central-1:111122223333:log-group:mock" }
  }
}

variables {
  name   = "taskhub-test"
  region = "eu-central-1"
  zones  = ["eu-central-1a", "eu-central-1b", "eu-central-1c"]
}

# One run for all that the defaults promise: each run starts the provider anew, which takes longer than the assertions.
run "by_default" {
  # Three zones.
  assert {
    condition     = toset([for it in aws_subnet.private : it.availability_zone]) == toset(var.zones)
    error_message = "Each zone needs a private subnet."
  }
  assert {
    condition     = toset([for it in aws_subnet.public : it.availability_zone]) == toset(var.zones)
    error_message = "Each zone needs a public subnet."
  }
  assert {
    condition     = [for it in aws_subnet.private : it.cidr_block] == ["10.0.32.0/19", "10.0.64.0/19", "10.0.96.0/19"]
    error_message = "Private subnets must be large enough for an address a pod, and must stay where they are."
  }
  assert {
    condition     = [for it in aws_subnet.public : it.cidr_block] == ["10.0.0.0/24", "10.0.1.0/24", "10.0.2.0/24"]
    error_message = "Public subnets must not overlap the private ones, and must stay where they are."
  }
  assert {
    condition     = toset(keys(aws_nat_gateway.this)) == toset(var.zones)
    error_message = "Each zone needs a way out of its own."
  }
  assert {
    condition     = alltrue([for zone, route in aws_route.private : route.nat_gateway_id == aws_nat_gateway.this[zone].id])
    error_message = "A zone must not depend on another's NAT gateway."
  }

  # Nothing has a public address by accident.
  assert {
    condition     = alltrue([for it in concat(values(aws_subnet.private), values(aws_subnet.public)) : !it.map_public_ip_on_launch])
    error_message = "A subnet must give out no public addresses by itself."
  }
  assert {
    condition     = alltrue([for route in aws_route.private : route.gateway_id == null])
    error_message = "A private subnet must have no route to the internet gateway."
  }
  assert {
    condition     = length(aws_default_security_group.this.ingress) == 0 && length(aws_default_security_group.this.egress) == 0
    error_message = "The default security group must let nobody in or out."
  }

  # AWS's services are reached inside the VPC.
  assert {
    condition = alltrue([
      for service in ["sqs", "ecr.api", "ecr.dkr", "secretsmanager", "eks-auth"] : aws_vpc_endpoint.interface[service].service_name == "com.amazonaws.eu-central-1.${service}"
    ])
    error_message = "SQS, ECR, Secrets Manager and Pod Identity need endpoints."
  }
  assert {
    condition     = alltrue([for it in aws_vpc_endpoint.interface : it.private_dns_enabled])
    error_message = "Without private DNS the clients would go on using the public addresses."
  }
  assert {
    condition     = alltrue([for it in aws_vpc_endpoint.interface : length(it.subnet_ids) == 3])
    error_message = "An endpoint must be in each zone."
  }
  assert {
    condition     = aws_vpc_endpoint.s3.vpc_endpoint_type == "Gateway" && length(aws_vpc_endpoint.s3.route_table_ids) == 3
    error_message = "S3, which holds the images' layers, must be reached from each zone without NAT."
  }
  assert {
    condition     = aws_vpc_security_group_ingress_rule.endpoints.cidr_ipv4 == var.cidr && aws_vpc_security_group_ingress_rule.endpoints.from_port == 443 && aws_vpc_security_group_ingress_rule.endpoints.to_port == 443
    error_message = "Endpoints take HTTPS from the VPC only."
  }
  assert {
    condition     = aws_vpc.this.enable_dns_support && aws_vpc.this.enable_dns_hostnames
    error_message = "Endpoints are found by the VPC's DNS."
  }

  # Refused connections are seen.
  assert {
    condition     = aws_flow_log.this.traffic_type == "REJECT" && aws_cloudwatch_log_group.flows.retention_in_days == 90
    error_message = "Refused connections must be logged, and kept for 90 days."
  }
}

run "mistakes_are_refused" {
  command = plan

  variables {
    name  = "TaskHub"
    zones = ["eu-central-1a", "eu-central-1b", "eu-central-1b"]
    cidr  = "8.8.0.0/16"
  }

  expect_failures = [var.name, var.zones, var.cidr]
}
