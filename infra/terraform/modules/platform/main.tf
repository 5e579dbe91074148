# One environment: network, cluster, PostgreSQL, Redis, queues, images, name, rights and what watches it, tied together.
#
# Elasticsearch is not here: the official client refuses Amazon OpenSearch, so Elasticsearch runs in the cluster (ECK) or
# at a provider, and its address is a value of the charts. It is derived data, as Redis and SQS are.

module "network" {
  source = "../network"

  name         = var.name
  region       = var.region
  zones        = var.zones
  nat_per_zone = var.sizes.nat_per_zone
}

module "cluster" {
  source = "../cluster"

  name            = var.name
  subnet_ids      = module.network.private_subnet_ids
  admin_role_arns = var.admin_role_arns
  node_groups     = var.sizes.node_groups
}

module "postgres" {
  source = "../postgres"

  name                      = var.name
  vpc_id                    = module.network.vpc_id
  subnet_ids                = module.network.private_subnet_ids
  client_security_group_ids = { cluster = module.cluster.client_security_group_id }
  instance_class            = var.sizes.postgres_class
  storage_gib               = var.sizes.storage_gib
  storage_limit_gib         = var.sizes.storage_gib * 10
  max_connections           = var.sizes.max_connections
  alarm_topic_arns          = var.alarm_topic_arns
}

module "redis" {
  source = "../redis"

  name                      = var.name
  vpc_id                    = module.network.vpc_id
  subnet_ids                = module.network.private_subnet_ids
  client_security_group_ids = { cluster = module.cluster.client_security_group_id }
  broker_node_type          = var.sizes.broker_node
  cache_node_type           = var.sizes.cache_node
  alarm_topic_arns          = var.alarm_topic_arns
}

module "queues" {
  source = "../queues"

  name             = "${var.name}-events"
  alarm_topic_arns = var.alarm_topic_arns
}

module "registry" {
  source = "../registry"

  prefix = var.name
}

module "identity" {
  source = "../identity"

  name              = var.name
  cluster_name      = module.cluster.name
  cluster_arn       = module.cluster.arn
  queue_arn         = module.queues.arn
  dlq_arn           = module.queues.dlq_arn
  queue_kms_key_arn = module.queues.kms_key_arn

  secrets_kms_key_arn   = module.redis.kms_key_arn
  heartbeat_topic_arn   = module.observability.heartbeat_topic_arn
  heartbeat_kms_key_arn = module.observability.kms_key_arn
  log_group_arn         = module.observability.log_group_arn
  vpc_id                = module.network.vpc_id
  pod_security_group_id = module.cluster.client_security_group_id
}

module "observability" {
  source = "../observability"

  name             = var.name
  alarm_topic_arns = var.alarm_topic_arns
}

module "dns" {
  source = "../dns"

  name             = var.name
  zone             = var.dns.zone
  host             = var.dns.host
  load_balancer    = var.dns.leads_to_load_balancer ? var.name : null
  alarm_topic_arns = var.alarm_topic_arns
}

module "github_oidc" {
  source = "../github_oidc"
  count  = var.releases == null ? 0 : 1

  name            = var.name
  repository      = var.releases.repository
  tags            = var.releases.tags
  repository_arns = module.registry.repository_arns
  provider_arn    = var.releases.provider_arn
}
