variable "name" {
  description = "Prefix of everything in the network, such as taskhub-prod."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,38}[a-z0-9]$", var.name))
    error_message = "A name has 3 to 40 lower-case letters, digits and hyphens, and starts with a letter."
  }
}

variable "region" {
  description = "The AWS region, as in the provider's configuration: endpoints are named by it."
  type        = string

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "A region, such as eu-central-1."
  }
}

variable "zones" {
  description = "Three availability zones of the region. Their order must never change: subnets are numbered by it."
  type        = list(string)

  validation {
    condition     = length(distinct(var.zones)) == 3 && length(var.zones) == 3 && alltrue([for zone in var.zones : startswith(zone, var.region)])
    error_message = "Three different zones of the region."
  }
}

variable "cidr" {
  description = "Addresses of the VPC, a /16: TASKHUB_TRUSTED_PROXIES and the network policies' peers in the charts."
  type        = string
  default     = "10.0.0.0/16"

  validation {
    condition     = can(cidrhost(var.cidr, 0)) && endswith(var.cidr, "/16") && can(regex("^(10\\.|172\\.(1[6-9]|2[0-9]|3[01])\\.|192\\.168\\.)", var.cidr))
    error_message = "A private /16."
  }
}

variable "nat_per_zone" {
  description = "A NAT gateway in each zone: a lost zone takes nobody else's way out. False: one for all, cheaper, for staging."
  type        = bool
  default     = true
}
