variable "account_id" {
  description = "The AWS account of this environment. Terraform refuses to touch any other."
  type        = string

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "An account's id has 12 digits."
  }
}

variable "region" {
  description = "The AWS region."
  type        = string
  default     = "eu-central-1"
}

variable "zones" {
  description = "Three availability zones of the region, in an order that never changes."
  type        = list(string)
  default     = ["eu-central-1a", "eu-central-1b", "eu-central-1c"]
}

variable "admin_role_arns" {
  description = "IAM roles whose bearers administer the cluster."
  type        = set(string)
}

variable "alarm_topic_arns" {
  description = "SNS topics that hear of alarms and failovers."
  type        = list(string)
}

variable "dns" {
  description = "The API's host, which is ingress.host of argocd/envs/staging/api.yaml, and its public hosted zone. leads_to_load_balancer: true when the Ingress has got its load balancer."
  type = object({
    host                   = string
    zone                   = string
    leads_to_load_balancer = optional(bool, false)
  })
  default = { host = "taskhub.staging.example.com", zone = "example.com" }
}

variable "releases" {
  description = "The repository at GitHub whose tags push images here. Null: images are pushed by other means."
  type = object({
    repository   = string
    tags         = optional(string, "v*")
    provider_arn = optional(string)
  })
  default = null
}
