# ECR: a repository an image, and one a chart. A tag never moves, so what was tested is what runs; each push is scanned.
#
# Nothing expires. Any release may be rolled back to, and what has no tag here are signatures and attestations: they refer
# to an image by its digest, and a rule about manifests without a tag would not tell them from anything else. Since a tag
# never moves, a push leaves hardly anything else without one.

locals {
  repositories = setunion(var.images, [for chart in var.charts : "charts/${chart}"])
}

resource "aws_kms_key" "this" {
  description             = "Images and charts of TaskHub"
  enable_key_rotation     = true
  deletion_window_in_days = 30
}

resource "aws_ecr_repository" "this" {
  for_each = local.repositories

  name                 = join("/", compact([var.prefix, each.key]))
  image_tag_mutability = "IMMUTABLE"
  force_delete         = false

  image_scanning_configuration {
    scan_on_push = true
  }

  encryption_configuration {
    encryption_type = "KMS"
    kms_key         = aws_kms_key.this.arn
  }
}
