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

variable "charts" {
  description = "The charts that a release pushes. Their repositories are PREFIX/charts/CHART."
  type        = set(string)
  default     = ["api", "worker", "sqs-consumer", "observability"]

  validation {
    condition     = alltrue([for chart in var.charts : can(regex("^[a-z0-9][a-z0-9-]*$", chart))])
    error_message = "A chart's name has lower-case letters, digits and hyphens."
  }
}
