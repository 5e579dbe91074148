# Staging: as durable as production, so that what is tried here holds there, and as small as that allows.

module "taskhub" {
  source = "../../modules/platform"

  name             = "taskhub-staging"
  region           = var.region
  zones            = var.zones
  admin_role_arns  = var.admin_role_arns
  alarm_topic_arns = var.alarm_topic_arns
  dns              = var.dns
  releases         = var.releases

  sizes = {
    nat_per_zone    = false
    node_groups     = { general = { instance_types = ["m7i.large", "m6i.large"], min = 3, max = 6 } }
    postgres_class  = "db.t4g.medium"
    storage_gib     = 50
    max_connections = 200
    broker_node     = "cache.t4g.small"
    cache_node      = "cache.t4g.micro"
  }
}
