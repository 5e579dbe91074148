# EBS volumes for pods: the driver that makes them, with a role of its own.
#
# The StorageClass is Argo CD's: Terraform makes nothing inside Kubernetes.

locals {
  # The add-on's controller. Its pods on the nodes mount what the controller has attached, and need no rights in AWS.
  volumes_account = { namespace = "kube-system", name = "ebs-csi-controller-sa" }
}

resource "aws_iam_role" "volumes" {
  name        = "${var.name}-volumes"
  description = "The EBS driver of ${var.name}: makes, attaches and deletes the volumes of pods"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "pods.eks.amazonaws.com" }
      Action    = ["sts:AssumeRole", "sts:TagSession"]
      # A wrong association elsewhere gives nobody this role.
      Condition = {
        StringEquals = {
          "aws:RequestTag/kubernetes-namespace"       = local.volumes_account.namespace
          "aws:RequestTag/kubernetes-service-account" = local.volumes_account.name
        }
        ArnEquals = { "aws:RequestTag/eks-cluster-arn" = aws_eks_cluster.this.arn }
      }
    }]
  })
}

# AWS's own policy, which changes with the driver: only what the driver has tagged can be changed by it.
resource "aws_iam_role_policy_attachment" "volumes" {
  role       = aws_iam_role.volumes.name
  policy_arn = "${local.policies}/service-role/AmazonEBSCSIDriverPolicy"
}

resource "aws_eks_addon" "volumes" {
  cluster_name                = aws_eks_cluster.this.name
  addon_name                  = "aws-ebs-csi-driver"
  resolve_conflicts_on_create = "OVERWRITE"
  resolve_conflicts_on_update = "OVERWRITE"

  pod_identity_association {
    role_arn        = aws_iam_role.volumes.arn
    service_account = local.volumes_account.name
  }

  depends_on = [aws_iam_role_policy_attachment.volumes, aws_eks_node_group.this]
}
