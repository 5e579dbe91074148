variable "name" {
  description = "Prefix of the alarm, such as taskhub-prod."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,38}[a-z0-9]$", var.name))
    error_message = "A name has 3 to 40 lower-case letters, digits and hyphens, and starts with a letter."
  }
}

variable "zone" {
  description = "The public hosted zone in Route 53 that the host is in, without a dot at the end. It has to exist."
  type        = string

  validation {
    condition     = can(regex("^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\\.)+[a-z]{2,}$", var.zone))
    error_message = "A domain in lower-case letters, without a dot at the end."
  }
}

variable "host" {
  description = "The API's name: ingress.host of its chart."
  type        = string

  validation {
    condition     = can(regex("^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\\.)+[a-z]{2,}$", var.host)) && length(var.host) <= 64
    error_message = "One host, without a wildcard. A certificate's first name has at most 64 characters."
  }
  validation {
    condition     = var.host == var.zone || endswith(var.host, ".${var.zone}")
    error_message = "The host must be in the zone."
  }
}

variable "load_balancer" {
  description = "The load balancer's name, once its controller has made it: the host then leads there. Null: there is none yet."
  type        = string
  default     = null

  validation {
    condition     = var.load_balancer == null || can(regex("^[A-Za-z0-9][A-Za-z0-9-]{0,31}$", var.load_balancer))
    error_message = "A load balancer's name has up to 32 letters, digits and hyphens."
  }
}

variable "alarm_topic_arns" {
  description = "SNS topics that hear of alarms."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.alarm_topic_arns : startswith(arn, "arn:")])
    error_message = "Each topic is named by its ARN."
  }
}
