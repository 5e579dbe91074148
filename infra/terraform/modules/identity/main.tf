# Who may do what in AWS: EKS Pod Identity, one role for each service account of the charts, with what its code calls.
#
# No keys are kept anywhere: the agent on each node hands a pod short-lived credentials of its service account's role.
# Only SQS is spoken to with AWS's credentials; PostgreSQL, Redis and Elasticsearch have passwords of their own.
# The migration's service account has no role: it needs the database only.

locals {
  look = ["sqs:GetQueueUrl", "sqs:GetQueueAttributes"]

  # A batch needs the right of the single call. Sending to an encrypted queue needs GenerateDataKey and Decrypt,
  # receiving Decrypt.
  roles = {
    # Operators look at dead letters and send them back (StartMessageMoveTask needs the rights of the move itself).
    api = {
      service_account = var.service_accounts.api
      queue           = concat(local.look, ["sqs:SendMessage"])
      dlq = concat(local.look, [
        "sqs:ReceiveMessage", "sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:StartMessageMoveTask",
      ])
      key = ["kms:Decrypt", "kms:GenerateDataKey"]
    }
    # The dispatcher publishes events and measures both queues. It reads no message.
    worker = {
      service_account = var.service_accounts.worker
      queue           = concat(local.look, ["sqs:SendMessage"])
      dlq             = local.look
      key             = ["kms:Decrypt", "kms:GenerateDataKey"]
    }
    # It takes events, and puts aside those that it cannot read.
    sqs_consumer = {
      service_account = var.service_accounts.sqs_consumer
      queue           = concat(local.look, ["sqs:ReceiveMessage", "sqs:ChangeMessageVisibility", "sqs:DeleteMessage"])
      dlq             = concat(local.look, ["sqs:SendMessage"])
      key             = ["kms:Decrypt", "kms:GenerateDataKey"]
    }
  }

  region = split(":", var.queue_arn)[3]
}

resource "aws_iam_role" "this" {
  for_each = local.roles

  name        = "${var.name}-${replace(each.key, "_", "-")}"
  description = "What ${each.value.service_account} in ${var.namespace} of ${var.cluster_name} may do"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "pods.eks.amazonaws.com" }
      Action    = ["sts:AssumeRole", "sts:TagSession"]
      # A wrong association elsewhere gives nobody this role.
      Condition = {
        StringEquals = {
          "aws:RequestTag/kubernetes-namespace"       = var.namespace
          "aws:RequestTag/kubernetes-service-account" = each.value.service_account
        }
        ArnEquals = { "aws:RequestTag/eks-cluster-arn" = var.cluster_arn }
      }
    }]
  })
}

resource "aws_iam_role_policy" "queues" {
  for_each = local.roles

  name = "queues"
  role = aws_iam_role.this[each.key].name

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      { Sid = "Queue", Effect = "Allow", Action = each.value.queue, Resource = var.queue_arn },
      { Sid = "DeadLetters", Effect = "Allow", Action = each.value.dlq, Resource = var.dlq_arn },
      {
        Sid      = "Key"
        Effect   = "Allow"
        Action   = each.value.key
        Resource = var.queue_kms_key_arn
        # Only as part of a call to SQS.
        Condition = { StringEquals = { "kms:ViaService" = "sqs.${local.region}.amazonaws.com" } }
      },
    ]
  })
}

resource "aws_eks_pod_identity_association" "this" {
  for_each = local.roles

  cluster_name    = var.cluster_name
  namespace       = var.namespace
  service_account = each.value.service_account
  role_arn        = aws_iam_role.this[each.key].arn
}
