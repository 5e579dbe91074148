variable "name" {
  description = "Prefix of everything that belongs to both, such as taskhub-prod."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,30}[a-z0-9]$", var.name)) && !strcontains(var.name, "--")
    error_message = "A name has 3 to 32 lower-case letters, digits and single hyphens, and starts with a letter (ElastiCache takes 40 with our endings)."
  }
}

variable "vpc_id" {
  description = "The VPC of both."
  type        = string
}

variable "subnet_ids" {
  description = "Private subnets, in at least two zones, so that a replica has a zone of its own."
  type        = list(string)

  validation {
    condition     = length(distinct(var.subnet_ids)) >= 2
    error_message = "The replica needs a second zone: give at least two subnets."
  }
}

variable "client_security_group_ids" {
  description = "Security groups whose members may connect, by a name that stays the same: the nodes' or the pods' group."
  type        = map(string)

  validation {
    condition     = length(var.client_security_group_ids) > 0
    error_message = "Without a client nobody can connect."
  }
}

variable "engine_version" {
  description = "Valkey's version, major and minor."
  type        = string
  default     = "8.0"

  validation {
    condition     = can(regex("^8\\.[0-9]+$", var.engine_version))
    error_message = "The parameter groups are of the family valkey8."
  }
}

variable "broker_node_type" {
  description = "Size of the broker's nodes. Its window of messages is bounded, so memory is seldom the limit."
  type        = string
  default     = "cache.m7g.large"

  validation {
    condition     = startswith(var.broker_node_type, "cache.")
    error_message = "A type of ElastiCache starts with cache., such as cache.m7g.large."
  }
}

variable "cache_node_type" {
  description = "Size of the cache's nodes."
  type        = string
  default     = "cache.t4g.medium"

  validation {
    condition     = startswith(var.cache_node_type, "cache.")
    error_message = "A type of ElastiCache starts with cache., such as cache.t4g.medium."
  }
}

variable "replicas" {
  description = "Replicas of each primary, in zones of their own."
  type        = number
  default     = 1

  validation {
    condition     = var.replicas >= 1 && var.replicas <= 5 && floor(var.replicas) == var.replicas
    error_message = "A failover needs at least one replica; ElastiCache allows five."
  }
}

variable "snapshot_retention_days" {
  description = "How long the broker's daily snapshots are kept, days. The cache has none: it is filled again by use."
  type        = number
  default     = 7

  validation {
    condition     = var.snapshot_retention_days >= 1 && var.snapshot_retention_days <= 35
    error_message = "Between 1 and 35 days."
  }
}

variable "password_generation" {
  description = "Raise it to rotate both passwords. The old ones stay valid until the next rotation, so that running pods keep working."
  type        = number
  default     = 1

  validation {
    condition     = var.password_generation >= 1 && floor(var.password_generation) == var.password_generation
    error_message = "A whole number from 1."
  }
}

variable "alarm_topic_arns" {
  description = "SNS topics that hear of alarms; ElastiCache's own events (failover) go to the first."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.alarm_topic_arns : startswith(arn, "arn:")])
    error_message = "Each topic is named by its ARN."
  }
}
