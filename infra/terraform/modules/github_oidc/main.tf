# What a release in GitHub Actions may do here: push images and charts with their signatures, and nothing else.
#
# No key is kept at GitHub. A workflow shows a token that GitHub signs, in which its repository and its tag stand; AWS gives
# it credentials for an hour. A pull request, a branch or another repository has another subject, and gets none.

locals {
  issuer   = "token.actions.githubusercontent.com"
  provider = var.provider_arn == null ? aws_iam_openid_connect_provider.this[0].arn : var.provider_arn
}

# An account has at most one for this issuer.
resource "aws_iam_openid_connect_provider" "this" {
  count = var.provider_arn == null ? 1 : 0

  url            = "https://${local.issuer}"
  client_id_list = ["sts.amazonaws.com"]
}

resource "aws_iam_role" "this" {
  name                 = "${var.name}-release"
  description          = "Releases of ${var.repository}: push images and charts"
  max_session_duration = 3600

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Federated = local.provider }
      Action    = "sts:AssumeRoleWithWebIdentity"
      Condition = {
        StringEquals = { "${local.issuer}:aud" = "sts.amazonaws.com" }
        StringLike   = { "${local.issuer}:sub" = "repo:${var.repository}:ref:refs/tags/${var.tags}" }
      }
    }]
  })
}

resource "aws_iam_role_policy" "push" {
  name = "push"
  role = aws_iam_role.this.name

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      # A login to the registry, which knows no resources. It gives no right to any repository.
      { Sid = "Login", Effect = "Allow", Action = ["ecr:GetAuthorizationToken"], Resource = "*" },
      {
        Sid    = "Push"
        Effect = "Allow"
        # BatchGetImage: a push asks whether the manifest is there already, signing reads what it signs, and who verifies
        # lists what refers to an image (ListImageReferrers has no right of its own, AWS asks for this one).
        # GetDownloadUrlForLayer: who verifies reads the signature itself.
        Action = [
          "ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:CompleteLayerUpload", "ecr:GetDownloadUrlForLayer",
          "ecr:InitiateLayerUpload", "ecr:PutImage", "ecr:UploadLayerPart",
        ]
        Resource = var.repository_arns
      },
    ]
  })
}
