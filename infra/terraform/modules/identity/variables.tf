variable "name" {
  description = "Prefix of the roles, such as taskhub-prod."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,38}[a-z0-9]$", var.name))
    error_message = "A name has 3 to 40 lower-case letters, digits and hyphens, and starts with a letter."
  }
}

variable "cluster_name" {
  description = "The EKS cluster."
  type        = string
}

variable "cluster_arn" {
  description = "The EKS cluster's ARN: pods of no other cluster can take the roles."
  type        = string

  validation {
    condition     = can(regex("^arn:[a-z-]+:eks:[a-z0-9-]+:[0-9]{12}:cluster/.+$", var.cluster_arn))
    error_message = "The ARN of an EKS cluster."
  }
}

variable "namespace" {
  description = "The namespace that TaskHub's charts are installed in."
  type        = string
  default     = "taskhub"

  validation {
    condition     = can(regex("^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", var.namespace))
    error_message = "A name of a Kubernetes namespace."
  }
}

variable "service_accounts" {
  description = "The service accounts that the charts make: serviceAccount.name, or the release's name when it is not set."
  type = object({
    api          = optional(string, "api")
    worker       = optional(string, "worker")
    sqs_consumer = optional(string, "sqs-consumer")
  })
  default = {}

  validation {
    condition     = length(distinct(values(var.service_accounts))) == 3
    error_message = "Each chart has a service account of its own: one for two would have the rights of both."
  }
}

variable "queue_arn" {
  description = "The queue of events."
  type        = string

  validation {
    condition     = can(regex("^arn:[a-z-]+:sqs:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]+$", var.queue_arn))
    error_message = "The ARN of one queue, without wildcards."
  }
}

variable "dlq_arn" {
  description = "Its dead-letter queue."
  type        = string

  validation {
    condition     = can(regex("^arn:[a-z-]+:sqs:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]+$", var.dlq_arn))
    error_message = "The ARN of one queue, without wildcards."
  }
}

variable "queue_kms_key_arn" {
  description = "The key of both queues."
  type        = string

  validation {
    condition     = can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[0-9a-z-]+$", var.queue_kms_key_arn))
    error_message = "The ARN of one key, without wildcards."
  }
}

variable "secrets_kms_key_arn" {
  description = "The key of the secrets that Terraform makes: External Secrets may decrypt with it, through Secrets Manager only."
  type        = string

  validation {
    condition     = can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[0-9a-z-]+$", var.secrets_kms_key_arn))
    error_message = "The ARN of one key, without wildcards."
  }
}

variable "heartbeat_topic_arn" {
  description = "Where Alertmanager tells that it lives: the topic of the dead-man's switch."
  type        = string

  validation {
    condition     = can(regex("^arn:[a-z-]+:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]+$", var.heartbeat_topic_arn))
    error_message = "The ARN of one topic, without wildcards."
  }
}

variable "heartbeat_kms_key_arn" {
  description = "The key of that topic."
  type        = string

  validation {
    condition     = can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[0-9a-z-]+$", var.heartbeat_kms_key_arn))
    error_message = "The ARN of one key, without wildcards."
  }
}

variable "log_group_arn" {
  description = "The log group of the pods: Fluent Bit may write there, and nowhere else."
  type        = string

  validation {
    condition     = can(regex("^arn:[a-z-]+:logs:[a-z0-9-]+:[0-9]{12}:log-group:[A-Za-z0-9_/.#-]+$", var.log_group_arn))
    error_message = "The ARN of one log group, without wildcards."
  }
}

variable "vpc_id" {
  description = "The VPC in which the load balancer's controller may make a security group."
  type        = string

  validation {
    condition     = can(regex("^vpc-[0-9a-z]+$", var.vpc_id))
    error_message = "The id of one VPC, without wildcards."
  }
}

variable "pod_security_group_id" {
  description = "The security group of nodes and pods, which the load balancer's controller lets the load balancer into."
  type        = string

  validation {
    condition     = can(regex("^sg-[0-9a-z]+$", var.pod_security_group_id))
    error_message = "The id of one security group, without wildcards."
  }
}
