# Production.

module "taskhub" {
  source = "../../modules/platform"

  name             = "taskhub-prod"
  region           = var.region
  zones            = var.zones
  admin_role_arns  = var.admin_role_arns
  alarm_topic_arns = var.alarm_topic_arns
  dns              = var.dns
  releases         = var.releases

  sizes = {
    nat_per_zone    = true
    node_groups     = { general = { instance_types = ["m7i.xlarge", "m6i.xlarge", "m7a.xlarge"], min = 3, max = 24 } }
    postgres_class  = "db.m7g.xlarge"
    storage_gib     = 200
    max_connections = 1000
    broker_node     = "cache.m7g.large"
    cache_node      = "cache.m7g.large"
  }
}
