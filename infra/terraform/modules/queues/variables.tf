variable "name" {
  description = "The queue of events: queue.name in the charts. Its dead-letter queue is NAME-dlq: queue.dlqName."
  type        = string
  default     = "taskhub-events"

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,76}$", var.name))
    error_message = "A queue's name has up to 76 letters, digits, hyphens and underscores (80 with our ending)."
  }
}

variable "visibility_seconds" {
  description = "How long a received message is hidden, seconds: visibilitySeconds of the sqs-consumer chart, which extends it while it works."
  type        = number
  default     = 60

  validation {
    condition     = var.visibility_seconds >= 30 && var.visibility_seconds <= 43200
    error_message = "Between 30 s (a batch must be done, or extended, before) and 12 hours."
  }
}

variable "max_receives" {
  description = "A message that was received so often without being deleted goes to the dead-letter queue."
  type        = number
  default     = 5

  validation {
    condition     = var.max_receives >= 3 && var.max_receives <= 1000
    error_message = "At least 3: a pod that is killed twice with the same message must not make it a dead letter."
  }
}

variable "retention_days" {
  description = "How long an event waits in the queue, days. The same as in the dead-letter queue would let it expire there at once, as its age counts on."
  type        = number
  default     = 7

  validation {
    condition     = var.retention_days >= 4 && var.retention_days <= 10
    error_message = "Between 4 days (a long weekend) and 10, which leaves 4 of the dead-letter queue's 14."
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

variable "oldest_event_alarm_seconds" {
  description = "Alarm when the oldest event has waited so long, seconds: the search index and the feeds are that far behind."
  type        = number
  default     = 300

  validation {
    condition     = var.oldest_event_alarm_seconds >= 60
    error_message = "At least 60 s: CloudWatch measures once a minute."
  }
}
