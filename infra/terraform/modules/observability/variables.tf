variable "name" {
  description = "Prefix of everything here, such as taskhub-prod."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,38}[a-z0-9]$", var.name))
    error_message = "A name has 3 to 40 lower-case letters, digits and hyphens, and starts with a letter."
  }
}

variable "log_retention_days" {
  description = "How long the pods' logs are kept, days."
  type        = number
  default     = 30

  validation {
    condition     = contains([30, 60, 90, 120, 150, 180, 365], var.log_retention_days)
    error_message = "A number of days that CloudWatch knows: 30, 60, 90, 120, 150, 180 or 365. Never for ever."
  }
}

variable "silent_minutes" {
  description = "The alarm comes when Alertmanager has been silent for so long, minutes. It calls every half minute, and SNS counts in steps of five minutes."
  type        = number
  default     = 15

  validation {
    condition     = var.silent_minutes >= 10 && var.silent_minutes <= 60 && var.silent_minutes % 5 == 0
    error_message = "10 to 60 minutes in steps of five: the count of the last five minutes may be late."
  }
}

variable "alarm_topic_arns" {
  description = "SNS topics that hear of the alarm. They must reach people without the cluster."
  type        = list(string)

  validation {
    condition     = length(var.alarm_topic_arns) > 0 && alltrue([for arn in var.alarm_topic_arns : startswith(arn, "arn:")])
    error_message = "A dead-man's switch that tells nobody is none: name at least one topic by its ARN."
  }
}
