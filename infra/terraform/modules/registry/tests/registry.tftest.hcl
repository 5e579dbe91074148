# What the registry promises, one by one. Nothing is made: the provider is a mock.

mock_provider "aws" {
  mock_resource "aws_kms_key" {
    defaults = { arn = "arn:aws:kms:eu-central-1:111122223333:key/00000000-0000-4000-8000-000000000001" }
  }
}

run "by_default" {
  assert {
    condition     = toset([for it in aws_ecr_repository.this : it.name if !startswith(it.name, "charts/")]) == toset(["taskhub-api", "taskhub-worker", "taskhub-sqs-consumer"])
    error_message = "Each image of the charts needs a repository."
  }
  # A release pushes the charts that have values for another place than kind (tools/release.py).
  assert {
    condition = toset([for it in aws_ecr_repository.this : it.name if startswith(it.name, "charts/")]) == toset([
      for file in fileset("../../../../charts", "*/ci/*-values.yaml") : "charts/${split("/", file)[0]}" if !endswith(file, "/kind-values.yaml")
    ])
    error_message = "Each chart that a release pushes needs a repository."
  }
  assert {
    condition     = toset(keys(output.repositories)) == toset(["taskhub-api", "taskhub-sqs-consumer", "taskhub-worker"])
    error_message = "The charts are told of images only."
  }
  assert {
    condition     = length(output.repository_arns) == length(aws_ecr_repository.this)
    error_message = "Who pushes must be given every repository."
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
  # Signatures and attestations have no tag: a rule that expires what has none would take them from their image.
  assert {
    condition     = length(aws_ecr_repository.this) > 0 && !strcontains(file("main.tf"), "aws_ecr_lifecycle_policy")
    error_message = "Nothing may expire: an image may be needed for a rollback, and its signature with it."
  }
  assert {
    condition     = aws_kms_key.this.enable_key_rotation && aws_kms_key.this.deletion_window_in_days == 30
    error_message = "The key must rotate, and wait longest before it is deleted."
  }
}

run "a_prefix_comes_before_images_and_charts" {
  variables {
    prefix = "taskhub-test"
  }

  assert {
    condition     = alltrue([for it in aws_ecr_repository.this : startswith(it.name, "taskhub-test/")])
    error_message = "Each repository must begin with the prefix."
  }
  assert {
    condition     = contains([for it in aws_ecr_repository.this : it.name], "taskhub-test/charts/api")
    error_message = "A release pushes to PREFIX/charts/CHART."
  }
}

run "mistakes_are_refused" {
  command = plan

  variables {
    prefix = "taskhub/"
    images = []
    charts = ["charts/api"]
  }

  expect_failures = [var.prefix, var.images, var.charts]
}
