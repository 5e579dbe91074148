variable "prefix" {
  description = "What comes before each image's name, without a slash at the end. Empty: nothing."
  type        = string
  default     = ""

  validation {
    condition     = var.prefix == "" || can(regex("^[a-z0-9]([a-z0-9._/-]*[a-z0-9])?$", var.prefix))
    error_message = "Lower-case letters, digits, dots, hyphens, underscores and slashes; no slash at the end."
  }
}

variable "images" {
  description = "The images: image.repository of the charts, without the registry."
  type        = set(string)
  default     = ["taskhub-api", "taskhub-worker", "taskhub-sqs-consumer"]

  validation {
    condition     = length(var.images) > 0 && alltrue([for image in var.images : can(regex("^[a-z0-9][a-z0-9._-]*$", image))])
    error_message = "At least one name, of lower-case letters, digits, dots, hyphens and underscores."
  }
}

variable "untagged_days" {
  description = "Layers without a tag (of pushes that were broken off) are deleted after so many days. Images with a tag are kept: any release may be rolled back to."
  type        = number
  default     = 14

  validation {
    condition     = var.untagged_days >= 1 && floor(var.untagged_days) == var.untagged_days
    error_message = "A whole number of days, at least 1."
  }
}
