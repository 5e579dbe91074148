# What a release may do, one by one. Nothing is made: the provider is a mock.

mock_provider "aws" {
  mock_resource "aws_iam_openid_connect_provider" {
    defaults = { arn = "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com" }
  }
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::111122223333:role/mock" }
  }
}

variables {
  name       = "taskhub-test"
  repository = "example/taskhub"
  repository_arns = [
    "arn:aws:ecr:eu-central-1:111122223333:repository/taskhub-test/taskhub-api",
    "arn:aws:ecr:eu-central-1:111122223333:repository/taskhub-test/charts/api",
  ]
}

run "by_default" {
  # Who.
  assert {
    condition     = aws_iam_openid_connect_provider.this[0].url == "https://token.actions.githubusercontent.com"
    error_message = "Tokens must be GitHub's own."
  }
  assert {
    condition     = aws_iam_openid_connect_provider.this[0].client_id_list == toset(["sts.amazonaws.com"])
    error_message = "Tokens must be made for AWS and nobody else."
  }
  assert {
    condition     = length(jsondecode(aws_iam_role.this.assume_role_policy).Statement) == 1 && jsondecode(aws_iam_role.this.assume_role_policy).Statement[0].Principal == { Federated = aws_iam_openid_connect_provider.this[0].arn }
    error_message = "Only who has a token of GitHub's may take the role."
  }
  assert {
    condition     = jsondecode(aws_iam_role.this.assume_role_policy).Statement[0].Action == "sts:AssumeRoleWithWebIdentity"
    error_message = "The role must be taken with a token only."
  }
  assert {
    condition     = jsondecode(aws_iam_role.this.assume_role_policy).Statement[0].Condition.StringEquals == { "token.actions.githubusercontent.com:aud" = "sts.amazonaws.com" }
    error_message = "A token for somebody else must be refused."
  }
  assert {
    condition     = jsondecode(aws_iam_role.this.assume_role_policy).Statement[0].Condition.StringLike == { "token.actions.githubusercontent.com:sub" = "repo:example/taskhub:ref:refs/tags/v*" }
    error_message = "Only the repository's tags may push: no branch, no pull request, no other repository."
  }
  assert {
    condition     = aws_iam_role.this.max_session_duration == 3600
    error_message = "Credentials must end after an hour."
  }

  # What.
  assert {
    condition     = [for s in jsondecode(aws_iam_role_policy.push.policy).Statement : s.Action if jsonencode(s.Resource) == jsonencode("*")] == [["ecr:GetAuthorizationToken"]]
    error_message = "Everywhere a release may only log in."
  }
  assert {
    condition = toset(jsondecode(aws_iam_role_policy.push.policy).Statement[1].Action) == toset([
      "ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:CompleteLayerUpload", "ecr:GetDownloadUrlForLayer",
      "ecr:InitiateLayerUpload", "ecr:PutImage", "ecr:UploadLayerPart",
    ])
    error_message = "A release pushes, signs and verifies: it deletes nothing and changes no repository."
  }
  assert {
    condition     = jsondecode(aws_iam_role_policy.push.policy).Statement[1].Resource == [for arn in var.repository_arns : arn]
    error_message = "A release pushes to TaskHub's repositories only."
  }
  assert {
    condition     = length(jsondecode(aws_iam_role_policy.push.policy).Statement) == 2
    error_message = "A release may do something else."
  }
}

run "with_a_provider_of_the_account" {
  variables {
    provider_arn = "arn:aws:iam::444455556666:oidc-provider/token.actions.githubusercontent.com"
  }

  assert {
    condition     = length(aws_iam_openid_connect_provider.this) == 0
    error_message = "A second provider for one issuer is refused by AWS."
  }
  assert {
    condition     = jsondecode(aws_iam_role.this.assume_role_policy).Statement[0].Principal == { Federated = var.provider_arn }
    error_message = "The account's provider must be trusted."
  }
}

run "a_repository_may_have_ids_in_its_subject" {
  command = plan

  variables {
    repository = "example@123/taskhub@456"
  }

  assert {
    condition     = strcontains(aws_iam_role.this.description, "example@123/taskhub@456")
    error_message = "A repository must be trusted by its ids, too."
  }
}

run "wider_trust_is_refused" {
  command = plan

  variables {
    name            = "TaskHub"
    repository      = "example/*"
    tags            = "*"
    repository_arns = ["arn:aws:ecr:eu-central-1:111122223333:repository/*"]
    provider_arn    = "arn:aws:iam::111122223333:oidc-provider/example.com"
  }

  expect_failures = [
    var.name,
    var.repository,
    var.tags,
    var.repository_arns,
    var.provider_arn,
  ]
}
