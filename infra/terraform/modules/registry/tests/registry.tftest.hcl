# What the registry promises, one by one. Nothing is made: the provider is a mock.

mock_provider "aws" {
  mock_resource "aws_kms_key" {
    defaults = { arn = "arn:aws:kms:eu-central-1:111122223333:key/00000000-0000-4000-8000-000000000001" }
  }
}

run "by_default" {
  assert {
    condition     = toset([for it in aws_ecr_repository.this : it.name]) == toset(["taskhub-api", "taskhub-worker", "taskhub-sqs-consumer"])
    error_message = "Each image of the charts needs a repository."
  }
  assert {
    condition     = alltrue([for it in aws_ecr_repository.this : it.image_tag_mutability == "IMMUTABLE"])
    error_message = "A tag must never move."
  }
  assert {
    condition     = alltrue([for it in aws_ecr_repository.this : it.image_scanning_configuration[0].scan_on_push])
    error_message = "Each push must be scanned."
  }
  assert {
    condition     = alltrue([for it in aws_ecr_repository.this : it.encryption_configuration[0].encryption_type == "KMS" && it.encryption_configuration[0].kms_key == aws_kms_key.this.arn])
    error_message = "Images must be encrypted by the module's key."
  }
  assert {
    condition     = alltrue([for it in aws_ecr_repository.this : !it.force_delete])
    error_message = "A repository with images must not be deleted."
  }
  assert {
    condition     = alltrue([for it in aws_ecr_lifecycle_policy.this : [for rule in jsondecode(it.policy).rules : rule.selection.tagStatus] == ["untagged"]])
    error_message = "An image with a tag must never expire: it may be needed for a rollback."
  }
  assert {
    condition     = aws_kms_key.this.enable_key_rotation && aws_kms_key.this.deletion_window_in_days == 30
    error_message = "The key must rotate, and wait longest before it is deleted."
  }
}

run "mistakes_are_refused" {
  command = plan

  variables {
    prefix        = "taskhub/"
    images        = []
    untagged_days = 0
  }

  expect_failures = [var.prefix, var.images, var.untagged_days]
}
