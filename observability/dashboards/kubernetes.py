"""Kubernetes: whether the workloads have the pods they should, and what keeps them from it."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from observability.dashboards.parts import Limits, Query, Row, graph, page, tile


def build() -> Dashboard:
    """What all modes stand on."""
    return page(
        "kubernetes",
        "Kubernetes workloads",
        "Pods, restarts, limits, autoscaling, nodes and volumes (kube-state-metrics and the kubelet).",
        [
            Row(
                "Now",
                [
                    tile(
                        "Replicas missing",
                        "Pods that deployments want and do not have.",
                        "short",
                        "sum(kube_deployment_spec_replicas{ns} - kube_deployment_status_replicas_available{ns})",
                        limits=Limits(warn=1, bad=2),
                        width=6,
                    ),
                    tile(
                        "Restarts, 1 h",
                        "Restarts of containers in the last hour.",
                        "short",
                        "sum(increase(kube_pod_container_status_restarts_total{ns}[1h]))",
                        limits=Limits(warn=1, bad=5),
                        width=6,
                        decimals=0,
                    ),
                    tile(
                        "Nodes not ready",
                        "Nodes that do not report ready.",
                        "short",
                        'sum(kube_node_status_condition{condition="Ready",status!="true"})',
                        limits=Limits(warn=1, bad=2),
                        width=6,
                    ),
                    tile(
                        "Jobs failed",
                        "Failed Kubernetes Jobs: the migration, a backup, a reconciliation.",
                        "short",
                        "sum(kube_job_status_failed{ns})",
                        limits=Limits(warn=1, bad=1),
                        width=6,
                    ),
                ],
            ),
            Row(
                "Pods",
                [
                    graph(
                        "Replicas available, by deployment",
                        "Below the wanted number for long: look at the events of the pods.",
                        "short",
                        Query("kube_deployment_status_replicas_available{ns}", "{{deployment}}"),
                        Query("kube_deployment_spec_replicas{ns}", "{{deployment}} wanted"),
                        width=8,
                        runbook="DeploymentReplicasMissing",
                    ),
                    graph(
                        "Restarts by container",
                        "In five minutes.",
                        "short",
                        Query(
                            "sum by (pod, container) (increase(kube_pod_container_status_restarts_total{ns}[5m])) > 0",
                            "{{pod}} {{container}}",
                        ),
                        width=8,
                        runbook="PodCrashLooping",
                    ),
                    graph(
                        "Containers that wait, by reason",
                        "CrashLoopBackOff, ImagePullBackOff, CreateContainerConfigError (a secret is missing).",
                        "short",
                        Query("sum by (reason) (kube_pod_container_status_waiting_reason{ns})", "{{reason}}"),
                        width=8,
                        stacked=True,
                        runbook="PodCrashLooping",
                    ),
                    graph(
                        "Last ends of containers, by reason",
                        "OOMKilled: the limit of memory was reached.",
                        "short",
                        Query("sum by (reason) (kube_pod_container_status_last_terminated_reason{ns})", "{{reason}}"),
                        width=8,
                        runbook="ContainerOomKilled",
                    ),
                    graph(
                        "Memory by pod",
                        "The working set, which is what the limit is compared with.",
                        "bytes",
                        Query('sum by (pod) (container_memory_working_set_bytes{ns,container!=""})', "{{pod}}"),
                        width=8,
                        runbook="ContainerMemoryNearLimit",
                    ),
                    graph(
                        "CPU held back, by pod",
                        "Share of periods in which a container was throttled at its limit.",
                        "percentunit",
                        Query(
                            "sum by (pod) (rate(container_cpu_cfs_throttled_periods_total{ns}[$__rate_interval])) "
                            "/ sum by (pod) (rate(container_cpu_cfs_periods_total{ns}[$__rate_interval]))",
                            "{{pod}}",
                        ),
                        limits=Limits(warn=0.25, bad=0.5),
                        width=8,
                        most=1,
                        runbook="ContainerCpuThrottled",
                    ),
                ],
            ),
            Row(
                "Scaling, nodes, clocks, volumes",
                [
                    graph(
                        "Autoscaling",
                        "Replicas now, and the most there may be. At the most for long: it cannot keep up.",
                        "short",
                        Query(
                            "kube_horizontalpodautoscaler_status_current_replicas{ns}", "{{horizontalpodautoscaler}}"
                        ),
                        Query("kube_horizontalpodautoscaler_spec_max_replicas{ns}", "{{horizontalpodautoscaler}} most"),
                        width=12,
                    ),
                    graph(
                        "Nodes ready",
                        "1: the node reports ready.",
                        "short",
                        Query(
                            'min by (node) (kube_node_status_condition{condition="Ready",status="true"})', "{{node}}"
                        ),
                        width=12,
                        most=1,
                        runbook="NodeDown",
                    ),
                    graph(
                        "Offset of clocks",
                        "How far each process's clock is from PostgreSQL's. Leases do not mind; logs and tokens do.",
                        "s",
                        Query("abs(taskhub_clock_offset_seconds{ns})", "{{job}} {{pod}} {{instance}}"),
                        limits=Limits(warn=1, bad=2),
                        width=12,
                        runbook="ClockSkewed",
                    ),
                    graph(
                        "Room on the volumes",
                        "Share that is free.",
                        "percentunit",
                        Query(
                            "min by (persistentvolumeclaim) (kubelet_volume_stats_available_bytes{ns} "
                            "/ kubelet_volume_stats_capacity_bytes{ns})",
                            "{{persistentvolumeclaim}}",
                        ),
                        limits=Limits(warn=0.2, bad=0.1),
                        width=12,
                        most=1,
                        runbook="VolumeNearlyFull",
                    ),
                ],
            ),
        ],
    )
