variable "name" {
  description = "Name of the instance and prefix of everything that belongs to it, such as taskhub-prod."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,38}[a-z0-9]$", var.name)) && !strcontains(var.name, "--")
    error_message = "A name has 3 to 40 lower-case letters, digits and single hyphens, and starts with a letter."
  }
}

variable "vpc_id" {
  description = "The VPC of the instance."
  type        = string
}

variable "subnet_ids" {
  description = "Private subnets, in at least two zones, so that the standby has a zone of its own."
  type        = list(string)

  validation {
    condition     = length(distinct(var.subnet_ids)) >= 2
    error_message = "The standby needs a second zone: give at least two subnets."
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
  description = "PostgreSQL's version: 17, whose patches AWS applies in the maintenance window, or one patch such as 17.5."
  type        = string
  default     = "17"

  validation {
    condition     = can(regex("^17(\\.[0-9]+)?$", var.engine_version))
    error_message = "TaskHub is tested on PostgreSQL 17, and the parameter group is of its family."
  }
}

variable "instance_class" {
  description = "Size of the instance and of its standby."
  type        = string
  default     = "db.m7g.large"

  validation {
    condition     = startswith(var.instance_class, "db.")
    error_message = "A class of RDS starts with db., such as db.m7g.large."
  }
}

variable "storage_gib" {
  description = "Disk at the start, GiB."
  type        = number
  default     = 100

  validation {
    condition     = var.storage_gib >= 20 && floor(var.storage_gib) == var.storage_gib
    error_message = "RDS gives no gp3 disk under 20 GiB."
  }
}

variable "storage_limit_gib" {
  description = "The disk grows by itself up to here, GiB. A full disk stops every write."
  type        = number
  default     = 1000

  validation {
    condition     = var.storage_limit_gib >= ceil(var.storage_gib * 1.1)
    error_message = "Leave the disk room to grow: at least 10 % more than storage_gib, or RDS refuses it."
  }
}

variable "backup_retention_days" {
  description = "How far back point-in-time recovery reaches, days."
  type        = number
  default     = 14

  validation {
    condition     = var.backup_retention_days >= 14 && var.backup_retention_days <= 35
    error_message = "Between 14 days (our promise) and 35 (the most RDS keeps)."
  }
}

variable "deletion_protection" {
  description = "Whether AWS refuses to delete the instance. Turn it off, by an apply of its own, only to take an environment down."
  type        = bool
  default     = true
}

variable "alarm_topic_arns" {
  description = "SNS topics that hear of alarms and of the instance's own events (failover, low storage)."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.alarm_topic_arns : startswith(arn, "arn:")])
    error_message = "Each topic is named by its ARN."
  }
}

variable "max_connections" {
  description = "Connections that PostgreSQL takes: pods x processes x database.poolSize, and room for a rollout's surge."
  type        = number
  default     = 500

  validation {
    condition     = var.max_connections >= 100 && var.max_connections <= 5000
    error_message = "Between 100 and 5000; each costs the instance about 10 MiB."
  }
}

variable "proxy" {
  description = <<-TEXT
    An RDS Proxy before the instance: shorter failovers and fewer connections. It logs clients in with the secrets named
    here (one a database user, each a JSON object of username and password), never as the master. Null: no proxy.
    With it, set database.pooler to `transaction` and database.directUrlKey to the instance's own URL in the charts.
  TEXT
  type = object({
    secret_arns        = list(string)
    secret_kms_key_arn = optional(string)
  })
  default = null

  validation {
    condition     = var.proxy == null || try(length(var.proxy.secret_arns) > 0, false)
    error_message = "A proxy needs at least one user's secret."
  }
}
