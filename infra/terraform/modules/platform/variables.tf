variable "name" {
  description = "The environment, prefix of everything in it, such as taskhub-prod."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,30}[a-z0-9]$", var.name)) && !strcontains(var.name, "--")
    error_message = "A name has 3 to 32 lower-case letters, digits and single hyphens, and starts with a letter."
  }
}

variable "region" {
  description = "The AWS region, as in the provider's configuration."
  type        = string
}

variable "zones" {
  description = "Three availability zones of the region, in an order that never changes."
  type        = list(string)
}

variable "admin_role_arns" {
  description = "IAM roles whose bearers administer the cluster."
  type        = set(string)
}

variable "alarm_topic_arns" {
  description = "SNS topics that hear of alarms and failovers."
  type        = list(string)

  validation {
    condition     = length(var.alarm_topic_arns) > 0
    error_message = "An alarm that tells nobody is none: name at least one topic."
  }
}

variable "sizes" {
  description = "What differs between environments: sizes, and a NAT gateway for each zone or one for all. Durability does not."
  type = object({
    nat_per_zone    = bool
    node_groups     = map(object({ instance_types = list(string), min = number, max = number }))
    postgres_class  = string
    storage_gib     = number
    max_connections = number
    broker_node     = string
    cache_node      = string
  })
}

variable "dns" {
  description = "The API's host (ingress.host of its chart) and the public hosted zone that it is in. leads_to_load_balancer: true from the second apply on, when the Ingress has got its load balancer."
  type = object({
    host                   = string
    zone                   = string
    leads_to_load_balancer = optional(bool, false)
  })
}

variable "releases" {
  description = "The repository at GitHub whose tags push images here, and GitHub's OIDC provider if the account has it already. Null: images are pushed by other means."
  type = object({
    repository   = string
    tags         = optional(string, "v*")
    provider_arn = optional(string)
  })
  default = null
}
