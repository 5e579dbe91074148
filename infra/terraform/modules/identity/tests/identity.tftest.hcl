# The exact rights of each service account. Nothing is made: the provider is a mock.

mock_provider "aws" {
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::111122223333:role/mock" }
  }
}

variables {
  name              = "taskhub-test"
  cluster_name      = "taskhub-test"
  cluster_arn       = "arn:aws:eks:eu-central-1:111122223333:cluster/taskhub-test"
  queue_arn         = "arn:aws:sqs:eu-central-1:111122223333:taskhub-events"
  dlq_arn           = "arn:aws:sqs:eu-central-1:111122223333:taskhub-events-dlq"
  queue_kms_key_arn = "arn:aws:kms:eu-central-1:111122223333:key/00000000-0000-4000-8000-000000000001"
}

# One run for all that the defaults promise: each run starts the provider anew, which takes longer than the assertions.
run "by_default" {
  # Each service account has a role of its own.
  assert {
    condition     = toset([for it in aws_eks_pod_identity_association.this : it.service_account]) == toset(["api", "worker", "sqs-consumer"])
    error_message = "The roles must be for the service accounts that the charts make."
  }
  assert {
    condition     = toset([for it in aws_iam_role.this : it.name]) == toset(["taskhub-test-api", "taskhub-test-worker", "taskhub-test-sqs-consumer"])
    error_message = "Each service account needs a role of its own."
  }
  assert {
    condition     = alltrue([for it in aws_eks_pod_identity_association.this : it.namespace == "taskhub" && it.cluster_name == "taskhub-test"])
    error_message = "Only in TaskHub's namespace of this cluster."
  }

  # Nobody else can take it.
  assert {
    condition = alltrue([
      for it in aws_iam_role.this : jsonencode(jsondecode(it.assume_role_policy).Statement[0].Principal) == jsonencode({ Service = "pods.eks.amazonaws.com" })
      && length(jsondecode(it.assume_role_policy).Statement) == 1
    ])
    error_message = "Only EKS may hand out the roles."
  }
  assert {
    condition = alltrue([
      for key, it in aws_iam_role.this : jsondecode(it.assume_role_policy).Statement[0].Condition.StringEquals["aws:RequestTag/kubernetes-service-account"] == aws_eks_pod_identity_association.this[key].service_account
    ])
    error_message = "A role must be for one service account."
  }
  assert {
    condition = alltrue([
      for it in aws_iam_role.this : jsondecode(it.assume_role_policy).Statement[0].Condition.StringEquals["aws:RequestTag/kubernetes-namespace"] == "taskhub"
      && jsondecode(it.assume_role_policy).Statement[0].Condition.ArnEquals["aws:RequestTag/eks-cluster-arn"] == var.cluster_arn
    ])
    error_message = "A role must be for one namespace of one cluster."
  }

  # Nobody has a wildcard.
  assert {
    condition     = alltrue([for it in aws_iam_role_policy.queues : !strcontains(it.policy, "*")])
    error_message = "A policy has a wildcard."
  }
  assert {
    condition     = alltrue([for it in aws_iam_role_policy.queues : [for s in jsondecode(it.policy).Statement : s.Resource] == [var.queue_arn, var.dlq_arn, var.queue_kms_key_arn]])
    error_message = "A policy is about something else than the two queues and their key."
  }

  # The API looks at dead letters and sends them back.
  assert {
    condition     = toset(jsondecode(aws_iam_role_policy.queues["api"].policy).Statement[0].Action) == toset(["sqs:GetQueueUrl", "sqs:GetQueueAttributes", "sqs:SendMessage"])
    error_message = "The API looks at the queue, and sends back to it."
  }
  assert {
    condition = toset(jsondecode(aws_iam_role_policy.queues["api"].policy).Statement[1].Action) == toset([
      "sqs:GetQueueUrl", "sqs:GetQueueAttributes", "sqs:ReceiveMessage", "sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:StartMessageMoveTask",
    ])
    error_message = "The API looks at dead letters and moves them."
  }

  # The dispatcher publishes and measures.
  assert {
    condition     = toset(jsondecode(aws_iam_role_policy.queues["worker"].policy).Statement[0].Action) == toset(["sqs:GetQueueUrl", "sqs:GetQueueAttributes", "sqs:SendMessage"])
    error_message = "The dispatcher sends, and reads no event."
  }
  assert {
    condition     = toset(jsondecode(aws_iam_role_policy.queues["worker"].policy).Statement[1].Action) == toset(["sqs:GetQueueUrl", "sqs:GetQueueAttributes"])
    error_message = "The dispatcher only measures the dead-letter queue."
  }

  # The consumer takes events and puts aside what it cannot read.
  assert {
    condition = toset(jsondecode(aws_iam_role_policy.queues["sqs_consumer"].policy).Statement[0].Action) == toset([
      "sqs:GetQueueUrl", "sqs:GetQueueAttributes", "sqs:ReceiveMessage", "sqs:ChangeMessageVisibility", "sqs:DeleteMessage",
    ])
    error_message = "The consumer takes events, and sends none."
  }
  assert {
    condition     = toset(jsondecode(aws_iam_role_policy.queues["sqs_consumer"].policy).Statement[1].Action) == toset(["sqs:GetQueueUrl", "sqs:GetQueueAttributes", "sqs:SendMessage"])
    error_message = "The consumer puts dead letters aside, and reads and deletes none."
  }

  # The key serves SQS only.
  assert {
    condition     = alltrue([for it in aws_iam_role_policy.queues : jsondecode(it.policy).Statement[2].Condition.StringEquals["kms:ViaService"] == "sqs.eu-central-1.amazonaws.com"])
    error_message = "The key must be used through SQS only."
  }
  assert {
    condition     = alltrue([for it in aws_iam_role_policy.queues : toset(jsondecode(it.policy).Statement[2].Action) == toset(["kms:Decrypt", "kms:GenerateDataKey"])])
    error_message = "The key must only encrypt and decrypt."
  }
}

run "wider_rights_are_refused" {
  command = plan

  variables {
    service_accounts  = { api = "taskhub", worker = "taskhub" }
    cluster_arn       = "arn:aws:iam::111122223333:root"
    queue_arn         = "arn:aws:sqs:eu-central-1:111122223333:*"
    dlq_arn           = "*"
    queue_kms_key_arn = "arn:aws:kms:eu-central-1:111122223333:key/*"
  }

  expect_failures = [
    var.service_accounts,
    var.cluster_arn,
    var.queue_arn,
    var.dlq_arn,
    var.queue_kms_key_arn,
  ]
}
