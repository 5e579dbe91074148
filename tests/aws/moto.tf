# What moto can imitate of an environment, wired as modules/platform wires it. The test puts it among the environments.

provider "aws" {
  region                      = "eu-central-1"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
}

resource "aws_vpc" "this" {
  cidr_block = "10.0.0.0/16"
}

resource "aws_subnet" "this" {
  for_each = { eu-central-1a = "10.0.0.0/24", eu-central-1b = "10.0.1.0/24" }

  vpc_id            = aws_vpc.this.id
  availability_zone = each.key
  cidr_block        = each.value
}

resource "aws_security_group" "clients" {
  name        = "clients"
  description = "Clients of PostgreSQL"
  vpc_id      = aws_vpc.this.id
}

module "queues" {
  source = "../../modules/queues"

  name = "taskhub-moto-events"
}

module "postgres" {
  source = "../../modules/postgres"

  name                      = "taskhub-moto"
  vpc_id                    = aws_vpc.this.id
  subnet_ids                = [for subnet in aws_subnet.this : subnet.id]
  client_security_group_ids = { cluster = aws_security_group.clients.id }
}

module "identity" {
  source = "../../modules/identity"

  name              = "taskhub-moto"
  cluster_name      = "taskhub-moto"
  cluster_arn       = "arn:aws:eks:eu-central-1:123456789012:cluster/taskhub-moto"
  queue_arn         = module.queues.arn
  dlq_arn           = module.queues.dlq_arn
  queue_kms_key_arn = module.queues.kms_key_arn

  secrets_kms_key_arn   = module.queues.kms_key_arn
  heartbeat_topic_arn   = "arn:aws:sns:eu-central-1:123456789012:taskhub-moto-heartbeat"
  heartbeat_kms_key_arn = module.queues.kms_key_arn
  log_group_arn         = "arn:aws:logs:eu-central-1:123456789012:log-group:/taskhub/taskhub-moto/applications"
  vpc_id                = aws_vpc.this.id
  pod_security_group_id = aws_security_group.clients.id
}
