variable "name" {
  description = "The cluster's name, such as taskhub-prod."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,38}[a-z0-9]$", var.name))
    error_message = "A name has 3 to 40 lower-case letters, digits and hyphens, and starts with a letter."
  }
}

variable "kubernetes_version" {
  description = "Kubernetes' version, which EKS moves only when this does."
  type        = string
  default     = "1.33"

  validation {
    condition     = can(regex("^1\\.[0-9]{2}$", var.kubernetes_version)) && tonumber(split(".", var.kubernetes_version)[1]) >= 31
    error_message = "At least 1.31, as major and minor."
  }
}

variable "subnet_ids" {
  description = "Private subnets of nodes and of the control plane's addresses, one in each of three zones."
  type        = list(string)

  validation {
    condition     = length(distinct(var.subnet_ids)) >= 3
    error_message = "Three zones: a subnet in each."
  }
}

variable "admin_role_arns" {
  description = "IAM roles whose bearers administer the cluster. Nobody else does, not even who made it."
  type        = set(string)

  validation {
    condition     = length(var.admin_role_arns) > 0 && alltrue([for arn in var.admin_role_arns : can(regex("^arn:[a-z-]+:iam::[0-9]{12}:role/.+$", arn))])
    error_message = "At least one role by its ARN, or nobody could reach the cluster."
  }
}

variable "viewer_role_arns" {
  description = "IAM roles whose bearers may look at everything but secrets."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.viewer_role_arns : can(regex("^arn:[a-z-]+:iam::[0-9]{12}:role/.+$", arn))])
    error_message = "Each role is named by its ARN."
  }
}

variable "public_access_cidrs" {
  description = "Addresses that reach the Kubernetes API from outside the VPC (with credentials all the same). Empty: none."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for cidr in var.public_access_cidrs : can(cidrhost(cidr, 0)) && !endswith(cidr, "/0")])
    error_message = "Ranges of addresses, and not all of them."
  }
}

variable "node_groups" {
  description = "Managed node groups. Give several instance types, so that one which runs out in a zone stops nothing."
  type = map(object({
    instance_types = list(string)
    min            = number
    max            = number
    disk_gib       = optional(number, 50)
    architecture   = optional(string, "x86_64")
  }))
  default = {
    general = { instance_types = ["m7i.large", "m6i.large"], min = 3, max = 12 }
  }

  validation {
    condition     = length(var.node_groups) > 0 && alltrue([for group in var.node_groups : group.min >= 1 && group.max > group.min && length(group.instance_types) > 0])
    error_message = "At least one group; each has at least one node, room to grow and an instance type."
  }
  validation {
    condition     = sum([for group in var.node_groups : group.min]) >= 3
    error_message = "At least three nodes, one a zone: spreading pods over zones needs them."
  }
  validation {
    condition     = alltrue([for group in var.node_groups : contains(["x86_64", "arm64"], group.architecture)])
    error_message = "x86_64 or arm64."
  }
}
