variable "name" {
  description = "Prefix of the role, such as taskhub-prod."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,38}[a-z0-9]$", var.name))
    error_message = "A name has 3 to 40 lower-case letters, digits and hyphens, and starts with a letter."
  }
}

variable "repository" {
  description = "The repository at GitHub whose releases push, as it stands in its tokens' subject: OWNER/NAME, or with the ids that GitHub gives newer repositories OWNER@ID/NAME@ID."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9-]+(@[0-9]+)?/[A-Za-z0-9._-]+(@[0-9]+)?$", var.repository))
    error_message = "One repository as OWNER/NAME or OWNER@ID/NAME@ID, without wildcards."
  }
}

variable "tags" {
  description = "Which tags are releases: v* is every tag that begins with v. Protect these tags at GitHub, too."
  type        = string
  default     = "v*"

  validation {
    condition     = can(regex("^[A-Za-z0-9._-]+\\*?$", var.tags))
    error_message = "A tag, or how tags begin and then an asterisk; not every tag."
  }
}

variable "repository_arns" {
  description = "The ECR repositories that it pushes to."
  type        = list(string)

  validation {
    condition     = length(var.repository_arns) > 0 && alltrue([for arn in var.repository_arns : can(regex("^arn:[a-z-]+:ecr:[a-z0-9-]+:[0-9]{12}:repository/[a-z0-9._/-]+$", arn))])
    error_message = "The ARN of each repository, without wildcards."
  }
}

variable "provider_arn" {
  description = "GitHub's OIDC provider, where the account has it already. Null: it is made."
  type        = string
  default     = null

  validation {
    condition     = var.provider_arn == null || can(regex("^arn:[a-z-]+:iam::[0-9]{12}:oidc-provider/token\\.actions\\.githubusercontent\\.com$", var.provider_arn))
    error_message = "The ARN of GitHub's OIDC provider in this account."
  }
}
