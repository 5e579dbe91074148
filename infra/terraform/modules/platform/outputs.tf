locals {
  vpc = [{ ipBlock = { cidr = module.network.cidr } }]

  # Where EKS Pod Identity hands out credentials.
  pod_identity = {
    policyTypes = ["Egress"]
    egress      = [{ to = [{ ipBlock = { cidr = "169.254.170.23/32" } }], ports = [{ port = 80, protocol = "TCP" }] }]
  }

  common = {
    database = { tls = { mode = "verify-full", caConfigMap = "rds-ca", caKey = "global-bundle.pem" } }
    queue    = { region = var.region, name = module.queues.name, dlqName = module.queues.dlq_name }
  }
}

output "chart_values" {
  description = "What the charts have to know of this environment, by chart: write each with yamlencode to the environment's values. No secrets are in it."
  value = {
    api = merge(local.common, {
      image          = { repository = module.registry.repositories["taskhub-api"] }
      serviceAccount = { name = "api" }
      # The load balancer's addresses are the VPC's.
      config = { TASKHUB_TRUSTED_PROXIES = module.network.cidr }
      ingress = {
        annotations = {
          "alb.ingress.kubernetes.io/certificate-arn" = module.dns.certificate_arn
          # The controller may make a load balancer of this name only, and the host leads to it.
          "alb.ingress.kubernetes.io/load-balancer-name" = var.name
        }
      }
      networkPolicy = {
        extra = local.pod_identity
        flows = {
          ingressController = { peers = local.vpc, ports = [8000] }
          database          = { peers = local.vpc, ports = [5432] }
          broker            = { peers = local.vpc, ports = [6379] }
        }
      }
    })
    worker = merge(local.common, {
      image          = { repository = module.registry.repositories["taskhub-worker"] }
      serviceAccount = { name = "worker" }
      networkPolicy = {
        extra = local.pod_identity
        flows = {
          database = { peers = local.vpc, ports = [5432] }
          broker   = { peers = local.vpc, ports = [6379] }
        }
      }
    })
    sqs-consumer = merge(local.common, {
      image          = { repository = module.registry.repositories["taskhub-sqs-consumer"] }
      serviceAccount = { name = "sqs-consumer" }
      networkPolicy = {
        extra = local.pod_identity
        flows = { database = { peers = local.vpc, ports = [5432] } }
      }
    })
  }
}

output "url_secret_arns" {
  description = "Secrets with whole URLs, by the key that they become in the charts' Secret (for External Secrets)."
  value       = module.redis.url_secret_arns
}

output "database" {
  description = "Where PostgreSQL is, for the application's own role and its TASKHUB_DATABASE_URL; the master's secret is for making that role."
  value = {
    host              = module.postgres.host
    port              = module.postgres.port
    name              = module.postgres.database
    master_secret_arn = module.postgres.master_secret_arn
  }
}

output "cluster" {
  description = "How to reach the cluster: `aws eks update-kubeconfig --name NAME`."
  value       = { name = module.cluster.name, endpoint = module.cluster.endpoint }
}

output "queue_url" {
  description = "keda.queueDepth.queueUrl of the sqs-consumer chart, when KEDA scales it."
  value       = module.queues.url
}

output "heartbeat_topic_arn" {
  description = "Where Alertmanager publishes its Watchdog, for the dead-man's switch outside of the cluster."
  value       = module.observability.heartbeat_topic_arn
}

output "log_group" {
  description = "Where the pods' logs go, for what ships them."
  value       = module.observability.log_group
}

output "release_role_arn" {
  description = "The role that the release workflow assumes. Null: no repository is named."
  value       = one(module.github_oidc[*].role_arn)
}
