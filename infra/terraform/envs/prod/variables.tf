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
