# The same for what the apps stand on (argocd/platform): one role for each of its service accounts that calls AWS.

locals {
  # Where this is: arn:PARTITION:sqs:REGION:ACCOUNT:NAME.
  partition = split(":", var.queue_arn)[1]
  account   = split(":", var.queue_arn)[4]
  here      = "${local.region}:${local.account}"

  # What the load balancer's controller makes bears this tag with its cluster's name.
  cluster_tag = "elbv2.k8s.aws/cluster"

  ec2 = "arn:${local.partition}:ec2:${local.here}"
  elb = "arn:${local.partition}:elasticloadbalancing:${local.here}"
  # The load balancer is named by the environment, its target groups by their Service's namespace (eight letters of it).
  listeners     = ["${local.elb}:listener/app/${var.name}/*", "${local.elb}:listener-rule/app/${var.name}/*"]
  balancer      = "${local.elb}:loadbalancer/app/${var.name}/*"
  target_groups = "${local.elb}:targetgroup/k8s-${substr(var.namespace, 0, 8)}-*"

  platform = {
    # Copies this environment's secrets into the cluster.
    external_secrets = {
      namespace       = "external-secrets"
      service_account = "external-secrets"
      policy = [
        {
          Sid      = "Secrets"
          Action   = ["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"]
          Resource = "arn:${local.partition}:secretsmanager:${local.here}:secret:${var.name}/*"
        },
        {
          Sid       = "Key"
          Action    = ["kms:Decrypt"]
          Resource  = var.secrets_kms_key_arn
          Condition = { StringEquals = { "kms:ViaService" = "secretsmanager.${local.region}.amazonaws.com" } }
        },
      ]
    }

    # Measures the queues that the apps are scaled by.
    keda = {
      namespace       = "keda"
      service_account = "keda-operator"
      policy = [
        { Sid = "Queues", Action = local.look, Resource = [var.queue_arn, var.dlq_arn] },
        # CloudWatch knows no resources: it is this or nothing.
        { Sid = "Metrics", Action = ["cloudwatch:GetMetricData"], Resource = "*" },
      ]
    }

    # Tells the dead-man's switch that alerts are judged and sent.
    alertmanager = {
      namespace       = "monitoring"
      service_account = "alertmanager"
      policy = [
        { Sid = "Heartbeat", Action = ["sns:Publish"], Resource = var.heartbeat_topic_arn },
        {
          Sid       = "Key"
          Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
          Resource  = var.heartbeat_kms_key_arn
          Condition = { StringEquals = { "kms:ViaService" = "sns.${local.region}.amazonaws.com" } }
        },
      ]
    }

    # Brings the pods' logs to their group. It makes no group, and reads nothing.
    fluent_bit = {
      namespace       = "monitoring"
      service_account = "fluent-bit"
      policy = [
        { Sid = "Logs", Action = ["logs:CreateLogStream", "logs:PutLogEvents"], Resource = "${var.log_group_arn}:*" },
      ]
    }

    # Makes one Application Load Balancer of the Ingress, and keeps its targets. It can touch no other.
    load_balancer = {
      namespace       = "ingress"
      service_account = "aws-load-balancer-controller"
      policy = [
        # AWS knows no resources for what only describes.
        {
          Sid = "Look"
          Action = [
            "ec2:DescribeAccountAttributes", "ec2:DescribeAddresses", "ec2:DescribeAvailabilityZones",
            "ec2:DescribeInstances", "ec2:DescribeInternetGateways", "ec2:DescribeNetworkInterfaces",
            "ec2:DescribeRouteTables", "ec2:DescribeSecurityGroups", "ec2:DescribeSubnets", "ec2:DescribeTags",
            "ec2:DescribeVpcPeeringConnections", "ec2:DescribeVpcs", "ec2:GetSecurityGroupsForVpc",
            "elasticloadbalancing:DescribeCapacityReservation", "elasticloadbalancing:DescribeListenerAttributes",
            "elasticloadbalancing:DescribeListenerCertificates", "elasticloadbalancing:DescribeListeners",
            "elasticloadbalancing:DescribeLoadBalancerAttributes", "elasticloadbalancing:DescribeLoadBalancers",
            "elasticloadbalancing:DescribeRules", "elasticloadbalancing:DescribeSSLPolicies",
            "elasticloadbalancing:DescribeTags", "elasticloadbalancing:DescribeTargetGroupAttributes",
            "elasticloadbalancing:DescribeTargetGroups", "elasticloadbalancing:DescribeTargetHealth",
            "elasticloadbalancing:DescribeTrustStores",
            # It asks whether a firewall is there. None is made by it.
            "shield:GetSubscriptionState", "waf-regional:GetWebACLForResource", "wafv2:GetWebACLForResource",
          ]
          Resource = "*"
        },
        {
          Sid       = "ServiceLinkedRole"
          Action    = ["iam:CreateServiceLinkedRole"]
          Resource  = "arn:${local.partition}:iam::${local.account}:role/aws-service-role/elasticloadbalancing.amazonaws.com/*"
          Condition = { StringEquals = { "iam:AWSServiceName" = "elasticloadbalancing.amazonaws.com" } }
        },

        # A security group for the load balancer, and its way to the pods.
        { Sid = "GroupInVpc", Action = ["ec2:CreateSecurityGroup"], Resource = "${local.ec2}:vpc/${var.vpc_id}" },
        {
          Sid       = "MakeGroup"
          Action    = ["ec2:CreateSecurityGroup"]
          Resource  = "${local.ec2}:security-group/*"
          Condition = { StringEquals = { "aws:RequestTag/${local.cluster_tag}" = var.cluster_name } }
        },
        {
          Sid      = "TagNewGroup"
          Action   = ["ec2:CreateTags"]
          Resource = "${local.ec2}:security-group/*"
          Condition = {
            StringEquals = {
              "ec2:CreateAction"                    = "CreateSecurityGroup"
              "aws:RequestTag/${local.cluster_tag}" = var.cluster_name
            }
          }
        },
        {
          Sid      = "TagOwnGroup"
          Action   = ["ec2:CreateTags", "ec2:DeleteTags"]
          Resource = "${local.ec2}:security-group/*"
          Condition = {
            StringEquals = { "aws:ResourceTag/${local.cluster_tag}" = var.cluster_name }
            # The tag itself stays as it is.
            Null = { "aws:RequestTag/${local.cluster_tag}" = "true" }
          }
        },
        {
          Sid       = "OwnGroup"
          Action    = ["ec2:AuthorizeSecurityGroupIngress", "ec2:RevokeSecurityGroupIngress", "ec2:DeleteSecurityGroup"]
          Resource  = "${local.ec2}:security-group/*"
          Condition = { StringEquals = { "aws:ResourceTag/${local.cluster_tag}" = var.cluster_name } }
        },
        {
          Sid      = "WayToPods"
          Action   = ["ec2:AuthorizeSecurityGroupIngress", "ec2:RevokeSecurityGroupIngress"]
          Resource = "${local.ec2}:security-group/${var.pod_security_group_id}"
        },

        # The load balancer, by its name.
        {
          Sid = "Balancer"
          Action = [
            "elasticloadbalancing:AddTags", "elasticloadbalancing:CreateListener", "elasticloadbalancing:CreateLoadBalancer",
            "elasticloadbalancing:DeleteLoadBalancer", "elasticloadbalancing:ModifyLoadBalancerAttributes",
            "elasticloadbalancing:RemoveTags", "elasticloadbalancing:SetIpAddressType",
            "elasticloadbalancing:SetSecurityGroups", "elasticloadbalancing:SetSubnets",
          ]
          Resource = local.balancer
        },
        {
          Sid = "Listeners"
          Action = [
            "elasticloadbalancing:AddListenerCertificates", "elasticloadbalancing:AddTags",
            "elasticloadbalancing:CreateRule", "elasticloadbalancing:DeleteListener", "elasticloadbalancing:DeleteRule",
            "elasticloadbalancing:ModifyListener", "elasticloadbalancing:ModifyListenerAttributes",
            "elasticloadbalancing:ModifyRule", "elasticloadbalancing:RemoveListenerCertificates",
            "elasticloadbalancing:RemoveTags", "elasticloadbalancing:SetRulePriorities",
          ]
          Resource = local.listeners
        },
        {
          Sid       = "MakeTargetGroups"
          Action    = ["elasticloadbalancing:AddTags", "elasticloadbalancing:CreateTargetGroup"]
          Resource  = local.target_groups
          Condition = { StringEquals = { "aws:RequestTag/${local.cluster_tag}" = var.cluster_name } }
        },
        {
          Sid = "TargetGroups"
          Action = [
            "elasticloadbalancing:AddTags", "elasticloadbalancing:DeleteTargetGroup",
            "elasticloadbalancing:DeregisterTargets", "elasticloadbalancing:ModifyTargetGroup",
            "elasticloadbalancing:ModifyTargetGroupAttributes", "elasticloadbalancing:RegisterTargets",
            "elasticloadbalancing:RemoveTags",
          ]
          Resource  = local.target_groups
          Condition = { StringEquals = { "aws:ResourceTag/${local.cluster_tag}" = var.cluster_name } }
        },
      ]
    }
  }
}

resource "aws_iam_role" "platform" {
  for_each = local.platform

  name        = "${var.name}-${replace(each.key, "_", "-")}"
  description = "What ${each.value.service_account} in ${each.value.namespace} of ${var.cluster_name} may do"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "pods.eks.amazonaws.com" }
      Action    = ["sts:AssumeRole", "sts:TagSession"]
      Condition = {
        StringEquals = {
          "aws:RequestTag/kubernetes-namespace"       = each.value.namespace
          "aws:RequestTag/kubernetes-service-account" = each.value.service_account
        }
        ArnEquals = { "aws:RequestTag/eks-cluster-arn" = var.cluster_arn }
      }
    }]
  })
}

resource "aws_iam_role_policy" "platform" {
  for_each = local.platform

  name = "platform"
  role = aws_iam_role.platform[each.key].name

  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [for statement in each.value.policy : merge({ Effect = "Allow" }, statement)]
  })
}

resource "aws_eks_pod_identity_association" "platform" {
  for_each = local.platform

  cluster_name    = var.cluster_name
  namespace       = each.value.namespace
  service_account = each.value.service_account
  role_arn        = aws_iam_role.platform[each.key].arn
}
