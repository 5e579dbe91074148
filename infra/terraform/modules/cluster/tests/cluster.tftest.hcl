# Each security and availability setting of the cluster, one by one. Nothing is made: the provider is a mock.

mock_provider "aws" {
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_resource "aws_kms_key" {
    defaults = {
      arn    = "arn:aws:kms:eu-central-1:111122223333:key/00000000-0000-4000-8000-000000000001"
      key_id = "00000000-0000-4000-8000-000000000001"
    }
  }
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::111122223333:role/mock" }
  }
  mock_resource "aws_launch_template" {
    defaults = {
      id             = "lt-0123456789abcdef0"
      latest_version = 1
    }
  }
  mock_resource "aws_eks_cluster" {
    defaults = {
      arn                   = "arn:aws:eks:eu-central-1:111122223333:cluster/taskhub-test"
      certificate_authority = [{ data = "bW9jaw==" }]
    }
  }
}

variables {
  name             = "taskhub-test"
  subnet_ids       = ["subnet-0000000000000000a", "subnet-0000000000000000b", "subnet-0000000000000000c"]
  admin_role_arns  = ["arn:aws:iam::111122223333:role/admin"]
  viewer_role_arns = ["arn:aws:iam::111122223333:role/viewer"]
}

# One run for all that the defaults promise: each run starts the provider anew, which takes longer than the assertions.
run "by_default" {
  # Only access entries let people in.
  assert {
    condition     = aws_eks_cluster.this.access_config[0].authentication_mode == "API"
    error_message = "The aws-auth ConfigMap must not be read."
  }
  assert {
    condition     = !aws_eks_cluster.this.access_config[0].bootstrap_cluster_creator_admin_permissions
    error_message = "Who made the cluster must have no hidden rights."
  }
  assert {
    condition = { for arn, it in aws_eks_access_policy_association.this : arn => it.policy_arn } == {
      "arn:aws:iam::111122223333:role/admin"  = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"
      "arn:aws:iam::111122223333:role/viewer" = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy"
    }
    error_message = "Administrators administer, viewers look."
  }
  assert {
    condition     = !aws_eks_cluster.this.vpc_config[0].endpoint_public_access
    error_message = "The Kubernetes API must not be reached from outside unless addresses are named."
  }
  assert {
    condition     = aws_eks_cluster.this.vpc_config[0].endpoint_private_access
    error_message = "Nodes must reach the Kubernetes API inside the VPC."
  }

  # Secrets are encrypted by a key of their own.
  assert {
    condition     = aws_eks_cluster.this.encryption_config[0].resources == toset(["secrets"]) && aws_eks_cluster.this.encryption_config[0].provider[0].key_arn == aws_kms_key.this.arn
    error_message = "Kubernetes' secrets must be encrypted by the module's key."
  }
  assert {
    condition     = aws_kms_key.this.enable_key_rotation && aws_kms_key.this.deletion_window_in_days == 30
    error_message = "The key must rotate, and wait longest before it is deleted."
  }

  # What the control plane does is logged.
  assert {
    condition     = aws_eks_cluster.this.enabled_cluster_log_types == toset(["api", "audit", "authenticator", "controllerManager", "scheduler"])
    error_message = "All logs of the control plane must be kept."
  }
  assert {
    condition     = aws_cloudwatch_log_group.this.name == "/aws/eks/taskhub-test/cluster" && aws_cloudwatch_log_group.this.retention_in_days == 90
    error_message = "The logs must be kept for 90 days, in the group that EKS writes to."
  }

  # A pod cannot take the node's role.
  assert {
    condition     = alltrue([for it in aws_launch_template.node : it.metadata_options[0].http_tokens == "required"])
    error_message = "IMDSv1 must be refused."
  }
  assert {
    condition     = alltrue([for it in aws_launch_template.node : it.metadata_options[0].http_put_response_hop_limit == 1])
    error_message = "IMDS must not be reached from pods."
  }
  assert {
    condition     = toset(keys(aws_iam_role_policy_attachment.node)) == toset(["AmazonEKSWorkerNodePolicy", "AmazonEC2ContainerRegistryPullOnly", "AmazonEKS_CNI_Policy"])
    error_message = "A node may join, pull and give addresses; nothing else."
  }
  assert {
    condition     = alltrue([for it in aws_launch_template.node : it.block_device_mappings[0].ebs[0].encrypted == "true"])
    error_message = "Nodes' disks must be encrypted."
  }

  # The loss of a node or a zone, and upgrades, leave enough.
  assert {
    condition     = alltrue([for it in aws_eks_node_group.this : length(it.subnet_ids) == 3])
    error_message = "Nodes must be in three zones."
  }
  assert {
    condition     = sum([for it in aws_eks_node_group.this : it.scaling_config[0].min_size]) >= 3
    error_message = "There must be a node a zone at least."
  }
  assert {
    condition     = alltrue([for it in aws_eks_node_group.this : it.update_config[0].max_unavailable == 1 && !it.force_update_version])
    error_message = "Upgrades take one node at a time and heed PodDisruptionBudgets."
  }
  assert {
    condition     = alltrue([for it in aws_eks_node_group.this : it.node_repair_config[0].enabled])
    error_message = "A broken node must be replaced."
  }
  assert {
    condition     = aws_eks_cluster.this.zonal_shift_config[0].enabled
    error_message = "Traffic must be able to leave a zone that fails."
  }

  # What the charts rely on.
  assert {
    condition     = jsondecode(aws_eks_addon.before_nodes["vpc-cni"].configuration_values).enableNetworkPolicy == "true"
    error_message = "NetworkPolicies must be enforced."
  }
  assert {
    condition     = contains(keys(aws_eks_addon.before_nodes), "eks-pod-identity-agent")
    error_message = "Pod Identity needs its agent on each node."
  }
  assert {
    condition     = !contains(keys(aws_eks_addon.after_nodes), "metrics-server") && strcontains(file("../../../../argocd/platform/charts.yaml"), "chart: metrics-server")
    error_message = "The HPA needs metrics, from one party: Argo CD."
  }

  # Pods get volumes, by a driver whose role nobody else can take.
  assert {
    condition     = aws_eks_addon.volumes.addon_name == "aws-ebs-csi-driver" && aws_eks_addon.volumes.cluster_name == "taskhub-test"
    error_message = "Elasticsearch and Prometheus need volumes."
  }
  assert {
    condition = [for it in aws_eks_addon.volumes.pod_identity_association : [it.service_account, it.role_arn]] == [
      ["ebs-csi-controller-sa", aws_iam_role.volumes.arn]
    ]
    error_message = "The driver's controller, and nothing else of it, must have its role by Pod Identity."
  }
  assert {
    condition     = aws_eks_addon.volumes.service_account_role_arn == null
    error_message = "The driver must not have a role by the cluster's OIDC provider, too."
  }
  assert {
    condition = aws_iam_role_policy_attachment.volumes.role == "taskhub-test-volumes" && (
      aws_iam_role_policy_attachment.volumes.policy_arn == "arn:aws:iam::aws:policy/service-role/AmazonEBSCSIDriverPolicy"
    )
    error_message = "The driver may do what AWS's own policy for it says."
  }
  assert {
    condition = jsondecode(aws_iam_role.volumes.assume_role_policy).Statement[0].Principal == { Service = "pods.eks.amazonaws.com" } && (
      length(jsondecode(aws_iam_role.volumes.assume_role_policy).Statement) == 1
    )
    error_message = "Only EKS may hand out the driver's role."
  }
  assert {
    condition = jsondecode(aws_iam_role.volumes.assume_role_policy).Statement[0].Condition.StringEquals == {
      "aws:RequestTag/kubernetes-namespace"       = "kube-system"
      "aws:RequestTag/kubernetes-service-account" = "ebs-csi-controller-sa"
    }
    error_message = "The driver's role must be for its controller."
  }
  assert {
    condition     = jsondecode(aws_iam_role.volumes.assume_role_policy).Statement[0].Condition.ArnEquals["aws:RequestTag/eks-cluster-arn"] == aws_eks_cluster.this.arn
    error_message = "The driver's role must be for this cluster."
  }
}

run "mistakes_are_refused" {
  command = plan

  variables {
    name                = "TaskHub"
    kubernetes_version  = "1.29"
    subnet_ids          = ["subnet-0000000000000000a", "subnet-0000000000000000b"]
    admin_role_arns     = []
    viewer_role_arns    = ["viewer"]
    public_access_cidrs = ["0.0.0.0/0"]
    node_groups         = { general = { instance_types = ["m7i.large"], min = 1, max = 3 } }
  }

  expect_failures = [
    var.name,
    var.kubernetes_version,
    var.subnet_ids,
    var.admin_role_arns,
    var.viewer_role_arns,
    var.public_access_cidrs,
    var.node_groups,
  ]
}
