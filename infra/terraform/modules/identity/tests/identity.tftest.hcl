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

  secrets_kms_key_arn   = "arn:aws:kms:eu-central-1:111122223333:key/00000000-0000-4000-8000-000000000002"
  heartbeat_topic_arn   = "arn:aws:sns:eu-central-1:111122223333:taskhub-test-heartbeat"
  heartbeat_kms_key_arn = "arn:aws:kms:eu-central-1:111122223333:key/00000000-0000-4000-8000-000000000003"
  log_group_arn         = "arn:aws:logs:eu-central-1:111122223333:log-group:/taskhub/taskhub-test/applications"
  vpc_id                = "vpc-0123456789abcdef0"
  pod_security_group_id = "sg-0123456789abcdef0"
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

run "the_platform" {
  # The service accounts are those that Argo CD's charts make.
  assert {
    condition = { for key, it in aws_eks_pod_identity_association.platform : key => it.service_account } == {
      external_secrets = yamldecode(file("../../../../argocd/platform/values/external-secrets.yaml")).serviceAccount.name
      load_balancer    = yamldecode(file("../../../../argocd/platform/values/aws-load-balancer-controller.yaml")).serviceAccount.name
      keda             = yamldecode(file("../../../../argocd/platform/values/keda.yaml")).serviceAccount.operator.name
      alertmanager     = yamldecode(file("../../../../argocd/platform/values/kube-prometheus-stack.yaml")).alertmanager.serviceAccount.name
      fluent_bit       = yamldecode(file("../../../../argocd/platform/values/fluent-bit.yaml")).serviceAccount.name
    }
    error_message = "The roles must be for the service accounts that Argo CD's charts make."
  }
  # In the namespaces that these charts are installed in.
  assert {
    condition = alltrue([
      for chart, role in { external-secrets = "external_secrets", aws-load-balancer-controller = "load_balancer", keda = "keda", kube-prometheus-stack = "alertmanager", fluent-bit = "fluent_bit" } :
      strcontains(
        replace(file("../../../../argocd/platform/charts.yaml"), "/ +/", " "),
        "- chart: ${chart}\n namespace: ${aws_eks_pod_identity_association.platform[role].namespace}\n",
      )
    ])
    error_message = "A role must be in the namespace that its chart is installed in."
  }
  assert {
    condition     = alltrue([for key, it in aws_eks_pod_identity_association.platform : it.cluster_name == "taskhub-test" && it.role_arn == aws_iam_role.platform[key].arn])
    error_message = "Only in this cluster, and each its own role."
  }
  assert {
    condition     = length(distinct([for it in concat(values(aws_iam_role.platform), values(aws_iam_role.this)) : it.name])) == 8
    error_message = "Each service account needs a role of its own."
  }

  # Nobody else can take it.
  assert {
    condition = alltrue([
      for it in aws_iam_role.platform : jsonencode(jsondecode(it.assume_role_policy).Statement[0].Principal) == jsonencode({ Service = "pods.eks.amazonaws.com" })
      && length(jsondecode(it.assume_role_policy).Statement) == 1
    ])
    error_message = "Only EKS may hand out the platform's roles."
  }
  assert {
    condition = alltrue([
      for key, it in aws_iam_role.platform : jsondecode(it.assume_role_policy).Statement[0].Condition.StringEquals == {
        "aws:RequestTag/kubernetes-namespace"       = aws_eks_pod_identity_association.platform[key].namespace
        "aws:RequestTag/kubernetes-service-account" = aws_eks_pod_identity_association.platform[key].service_account
      }
    ])
    error_message = "A role of the platform must be for one service account of one namespace."
  }
  assert {
    condition     = alltrue([for it in aws_iam_role.platform : jsondecode(it.assume_role_policy).Statement[0].Condition.ArnEquals["aws:RequestTag/eks-cluster-arn"] == var.cluster_arn])
    error_message = "A role of the platform must be for one cluster."
  }

  # External Secrets reads this environment's secrets.
  assert {
    condition = jsondecode(aws_iam_role_policy.platform["external_secrets"].policy).Statement[0] == {
      Sid      = "Secrets"
      Effect   = "Allow"
      Action   = ["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"]
      Resource = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:taskhub-test/*"
    }
    error_message = "External Secrets reads this environment's secrets, and changes none."
  }
  assert {
    condition = jsondecode(aws_iam_role_policy.platform["external_secrets"].policy).Statement[1] == {
      Sid       = "Key"
      Effect    = "Allow"
      Action    = ["kms:Decrypt"]
      Resource  = var.secrets_kms_key_arn
      Condition = { StringEquals = { "kms:ViaService" = "secretsmanager.eu-central-1.amazonaws.com" } }
    }
    error_message = "External Secrets decrypts with the secrets' key, through Secrets Manager only."
  }
  assert {
    condition     = length(jsondecode(aws_iam_role_policy.platform["external_secrets"].policy).Statement) == 2
    error_message = "External Secrets may do something else."
  }

  # KEDA measures.
  assert {
    condition = jsondecode(aws_iam_role_policy.platform["keda"].policy).Statement[0] == {
      Sid      = "Queues"
      Effect   = "Allow"
      Action   = ["sqs:GetQueueUrl", "sqs:GetQueueAttributes"]
      Resource = [var.queue_arn, var.dlq_arn]
    }
    error_message = "KEDA looks at TaskHub's queues, and reads no message."
  }
  assert {
    condition = jsondecode(aws_iam_role_policy.platform["keda"].policy).Statement[1] == {
      Sid      = "Metrics"
      Effect   = "Allow"
      Action   = ["cloudwatch:GetMetricData"]
      Resource = "*"
    }
    error_message = "KEDA reads metrics, and writes none."
  }
  assert {
    condition     = length(jsondecode(aws_iam_role_policy.platform["keda"].policy).Statement) == 2
    error_message = "KEDA may do something else."
  }

  # Alertmanager tells that it lives.
  assert {
    condition = jsondecode(aws_iam_role_policy.platform["alertmanager"].policy).Statement[0] == {
      Sid      = "Heartbeat"
      Effect   = "Allow"
      Action   = ["sns:Publish"]
      Resource = var.heartbeat_topic_arn
    }
    error_message = "Alertmanager publishes to the topic of the dead-man's switch, and to no other."
  }
  assert {
    condition = jsondecode(aws_iam_role_policy.platform["alertmanager"].policy).Statement[1] == {
      Sid       = "Key"
      Effect    = "Allow"
      Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
      Resource  = var.heartbeat_kms_key_arn
      Condition = { StringEquals = { "kms:ViaService" = "sns.eu-central-1.amazonaws.com" } }
    }
    error_message = "Alertmanager uses the topic's key through SNS only."
  }
  assert {
    condition     = length(jsondecode(aws_iam_role_policy.platform["alertmanager"].policy).Statement) == 2
    error_message = "Alertmanager may do something else."
  }

  # Fluent Bit writes logs.
  assert {
    condition = jsondecode(aws_iam_role_policy.platform["fluent_bit"].policy).Statement == [{
      Sid      = "Logs"
      Effect   = "Allow"
      Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
      Resource = "${var.log_group_arn}:*"
    }]
    error_message = "Fluent Bit writes to this environment's log group, and does nothing else."
  }

  # The load balancer's controller changes what is this environment's, and no more.
  assert {
    condition     = !anytrue([for it in aws_iam_role_policy.platform : anytrue([for s in jsondecode(it.policy).Statement : anytrue([for action in s.Action : strcontains(action, "*")])])])
    error_message = "An action has a wildcard."
  }
  assert {
    condition = alltrue([
      for s in jsondecode(aws_iam_role_policy.platform["load_balancer"].policy).Statement :
      jsonencode(s.Resource) != jsonencode("*") || alltrue([for action in s.Action : can(regex("^[a-z0-9-]+:(Describe|Get)[A-Za-z0-9]+$", action))])
    ])
    error_message = "On everything the controller may only look."
  }
  assert {
    condition = {
      for s in jsondecode(aws_iam_role_policy.platform["load_balancer"].policy).Statement : s.Sid => flatten([s.Resource]) if jsonencode(s.Resource) != jsonencode("*")
      } == {
      ServiceLinkedRole = ["arn:aws:iam::111122223333:role/aws-service-role/elasticloadbalancing.amazonaws.com/*"]
      GroupInVpc        = ["arn:aws:ec2:eu-central-1:111122223333:vpc/vpc-0123456789abcdef0"]
      MakeGroup         = ["arn:aws:ec2:eu-central-1:111122223333:security-group/*"]
      TagNewGroup       = ["arn:aws:ec2:eu-central-1:111122223333:security-group/*"]
      TagOwnGroup       = ["arn:aws:ec2:eu-central-1:111122223333:security-group/*"]
      OwnGroup          = ["arn:aws:ec2:eu-central-1:111122223333:security-group/*"]
      WayToPods         = ["arn:aws:ec2:eu-central-1:111122223333:security-group/sg-0123456789abcdef0"]
      Balancer          = ["arn:aws:elasticloadbalancing:eu-central-1:111122223333:loadbalancer/app/taskhub-test/*"]
      Listeners = [
        "arn:aws:elasticloadbalancing:eu-central-1:111122223333:listener/app/taskhub-test/*",
        "arn:aws:elasticloadbalancing:eu-central-1:111122223333:listener-rule/app/taskhub-test/*",
      ]
      MakeTargetGroups = ["arn:aws:elasticloadbalancing:eu-central-1:111122223333:targetgroup/k8s-taskhub-*"]
      TargetGroups     = ["arn:aws:elasticloadbalancing:eu-central-1:111122223333:targetgroup/k8s-taskhub-*"]
    }
    error_message = "The controller may change only this environment's load balancer, its target groups, and security groups in this VPC."
  }
  assert {
    condition = {
      for s in jsondecode(aws_iam_role_policy.platform["load_balancer"].policy).Statement : s.Sid => s.Condition.StringEquals if can(s.Condition)
      } == {
      ServiceLinkedRole = { "iam:AWSServiceName" = "elasticloadbalancing.amazonaws.com" }
      MakeGroup         = { "aws:RequestTag/elbv2.k8s.aws/cluster" = "taskhub-test" }
      TagNewGroup       = { "aws:RequestTag/elbv2.k8s.aws/cluster" = "taskhub-test", "ec2:CreateAction" = "CreateSecurityGroup" }
      TagOwnGroup       = { "aws:ResourceTag/elbv2.k8s.aws/cluster" = "taskhub-test" }
      OwnGroup          = { "aws:ResourceTag/elbv2.k8s.aws/cluster" = "taskhub-test" }
      MakeTargetGroups  = { "aws:RequestTag/elbv2.k8s.aws/cluster" = "taskhub-test" }
      TargetGroups      = { "aws:ResourceTag/elbv2.k8s.aws/cluster" = "taskhub-test" }
    }
    error_message = "What the controller makes must bear this cluster's tag, and what it changes must have it already."
  }
  assert {
    condition = [
      for s in jsondecode(aws_iam_role_policy.platform["load_balancer"].policy).Statement : s.Condition.Null["aws:RequestTag/elbv2.k8s.aws/cluster"] if s.Sid == "TagOwnGroup"
    ] == ["true"]
    error_message = "The controller must not give a security group to another cluster."
  }
  assert {
    condition = toset(flatten([for s in jsondecode(aws_iam_role_policy.platform["load_balancer"].policy).Statement : s.Action if jsonencode(s.Resource) != jsonencode("*") && !startswith(s.Sid, "Listeners") && !strcontains(s.Sid, "Balancer") && !strcontains(s.Sid, "TargetGroups")])) == toset([
      "iam:CreateServiceLinkedRole", "ec2:CreateSecurityGroup", "ec2:CreateTags", "ec2:DeleteTags", "ec2:DeleteSecurityGroup",
      "ec2:AuthorizeSecurityGroupIngress", "ec2:RevokeSecurityGroupIngress",
    ])
    error_message = "The controller makes security groups and ways in, and nothing else in the network."
  }
  assert {
    condition     = length(aws_iam_role_policy.platform["load_balancer"].policy) <= 10240
    error_message = "IAM refuses a role's own policies with more than 10,240 characters."
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

    secrets_kms_key_arn   = "arn:aws:kms:eu-central-1:111122223333:key/*"
    heartbeat_topic_arn   = "arn:aws:sns:eu-central-1:111122223333:*"
    heartbeat_kms_key_arn = "arn:aws:kms:eu-central-1:111122223333:alias/taskhub"
    log_group_arn         = "arn:aws:logs:eu-central-1:111122223333:log-group:*"
    vpc_id                = "*"
    pod_security_group_id = "sg-*"
  }

  expect_failures = [
    var.service_accounts,
    var.cluster_arn,
    var.queue_arn,
    var.dlq_arn,
    var.queue_kms_key_arn,
    var.secrets_kms_key_arn,
    var.heartbeat_topic_arn,
    var.heartbeat_kms_key_arn,
    var.log_group_arn,
    var.vpc_id,
    var.pod_security_group_id,
  ]
}
