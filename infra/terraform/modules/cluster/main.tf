# EKS: the control plane, its keys and logs, and who may enter.
#
# Access is by access entries alone: the aws-auth ConfigMap is not read, and who made the cluster has no hidden rights.
# The Kubernetes API is reached from the VPC, and from outside only where addresses are named.

data "aws_partition" "current" {}

locals {
  policies = "arn:${data.aws_partition.current.partition}:iam::aws:policy"
  access   = "arn:${data.aws_partition.current.partition}:eks::aws:cluster-access-policy"

  entries = merge(
    { for arn in var.admin_role_arns : arn => "${local.access}/AmazonEKSClusterAdminPolicy" },
    { for arn in var.viewer_role_arns : arn => "${local.access}/AmazonEKSViewPolicy" },
  )
}

resource "aws_kms_key" "this" {
  description             = "${var.name}: Kubernetes' secrets"
  enable_key_rotation     = true
  deletion_window_in_days = 30
}

resource "aws_kms_alias" "this" {
  name          = "alias/${var.name}-eks"
  target_key_id = aws_kms_key.this.key_id
}

# Made here and not by EKS, which would keep the logs for ever.
resource "aws_cloudwatch_log_group" "this" {
  name              = "/aws/eks/${var.name}/cluster"
  retention_in_days = 90
}

resource "aws_iam_role" "cluster" {
  name        = "${var.name}-eks"
  description = "EKS's control plane"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "eks.amazonaws.com" }
    }]
  })
}

resource "aws_iam_role_policy_attachment" "cluster" {
  role       = aws_iam_role.cluster.name
  policy_arn = "${local.policies}/AmazonEKSClusterPolicy"
}

resource "aws_eks_cluster" "this" {
  name                      = var.name
  version                   = var.kubernetes_version
  role_arn                  = aws_iam_role.cluster.arn
  enabled_cluster_log_types = ["api", "audit", "authenticator", "controllerManager", "scheduler"]

  access_config {
    authentication_mode                         = "API"
    bootstrap_cluster_creator_admin_permissions = false
  }

  encryption_config {
    resources = ["secrets"]

    provider {
      key_arn = aws_kms_key.this.arn
    }
  }

  vpc_config {
    subnet_ids              = var.subnet_ids
    endpoint_private_access = true
    endpoint_public_access  = length(var.public_access_cidrs) > 0
    public_access_cidrs     = length(var.public_access_cidrs) > 0 ? var.public_access_cidrs : null
  }

  # A version that is out of support is upgraded, not paid for.
  upgrade_policy {
    support_type = "STANDARD"
  }

  # EKS moves pods' traffic out of a zone that fails.
  zonal_shift_config {
    enabled = true
  }

  depends_on = [aws_iam_role_policy_attachment.cluster, aws_cloudwatch_log_group.this]
}

resource "aws_eks_access_entry" "this" {
  for_each = local.entries

  cluster_name  = aws_eks_cluster.this.name
  principal_arn = each.key
}

resource "aws_eks_access_policy_association" "this" {
  for_each = local.entries

  cluster_name  = aws_eks_cluster.this.name
  principal_arn = aws_eks_access_entry.this[each.key].principal_arn
  policy_arn    = each.value

  access_scope {
    type = "cluster"
  }
}
