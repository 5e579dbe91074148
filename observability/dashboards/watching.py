"""Observability itself: whether Prometheus scrapes, evaluates and pages, and whether logs arrive."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from observability.dashboards.parts import AT_LEAST_ONE, Limits, Query, Row, firing, graph, page, tile


def build() -> Dashboard:
    """Failure mode 8."""
    return page(
        "observability",
        "Observability itself",
        "Failure mode 8. While any of this is broken, green elsewhere proves nothing.",
        [
            Row(
                "Now",
                [
                    tile(
                        "Targets down",
                        "Targets that did not answer the last scrape.",
                        "short",
                        "count(up == 0) or vector(0)",
                        limits=Limits(warn=1, bad=3),
                    ),
                    tile(
                        "Watchdog",
                        "The alert that always fires; a watcher outside alarms when it stops.",
                        "none",
                        'max(ALERTS{alertname="Watchdog",alertstate="firing"})',
                        limits=AT_LEAST_ONE,
                        words={"1": ("fires", "green")},
                    ),
                    tile(
                        "Rule failures, 5 min",
                        "Rules that could not be evaluated.",
                        "short",
                        "sum(increase(prometheus_rule_evaluation_failures_total[5m]))",
                        limits=Limits(warn=1, bad=1),
                    ),
                    tile(
                        "Alertmanagers",
                        "Alertmanagers that Prometheus knows. None: nobody is paged.",
                        "short",
                        "min(prometheus_notifications_alertmanagers_discovered)",
                        limits=Limits(warn=2, bad=1),
                    ),
                    tile(
                        "Pages that failed, 5 min",
                        "Notifications that a receiver did not take.",
                        "short",
                        "sum(increase(alertmanager_notifications_failed_total[5m]))",
                        limits=Limits(warn=1, bad=1),
                    ),
                    tile(
                        "Series",
                        "Series in memory. A jump: a label has ids in it.",
                        "short",
                        "sum(prometheus_tsdb_head_series)",
                        limits=Limits(warn=500_000, bad=2_000_000),
                    ),
                    tile(
                        "Log lines",
                        "Lines that the log collector delivers each second.",
                        "short",
                        "sum(rate(fluentbit_output_proc_records_total[5m]))"
                        " or sum(rate(otelcol_exporter_sent_log_records_total[5m]))",
                        limits=Limits(warn=0.1, bad=0.01),
                    ),
                    tile(
                        "Configuration",
                        "Whether the last reload of Prometheus's configuration succeeded.",
                        "none",
                        "min(prometheus_config_last_reload_successful)",
                        limits=AT_LEAST_ONE,
                        words={"0": ("broken", "red"), "1": ("good", "green")},
                    ),
                ],
            ),
            Row(
                "Collecting",
                [
                    graph(
                        "Targets up, by job",
                        "A job whose line ends is no longer discovered at all.",
                        "short",
                        Query("sum by (job) (up)", "{{job}}"),
                        width=8,
                        runbook="TargetDown",
                    ),
                    graph(
                        "Time of a scrape",
                        "The slowest target of each job. Beyond the timeout (10 s) it counts as down.",
                        "s",
                        Query("max by (job) (scrape_duration_seconds)", "{{job}}"),
                        width=8,
                    ),
                    graph(
                        "Samples by job",
                        "Samples of one scrape. Growth without more targets: more label values.",
                        "short",
                        Query("sum by (job) (scrape_samples_post_metric_relabeling)", "{{job}}"),
                        width=8,
                        stacked=True,
                    ),
                ],
            ),
            Row(
                "Judging and paging",
                [
                    firing(
                        "Alerts about observability", "Those of this mode only.", ',component="observability"', width=12
                    ),
                    graph(
                        "Alerts sent and dropped",
                        "From Prometheus to Alertmanager.",
                        "ops",
                        Query("sum(rate(prometheus_notifications_sent_total[$__rate_interval]))", "sent"),
                        Query("sum(rate(prometheus_notifications_dropped_total[$__rate_interval]))", "dropped"),
                        width=12,
                        runbook="AlertmanagerUnreachable",
                    ),
                    graph(
                        "Time to evaluate, by group",
                        "Beyond the interval of the group alerts come late.",
                        "s",
                        Query("max by (rule_group) (prometheus_rule_group_last_duration_seconds)", "{{rule_group}}"),
                        width=8,
                        runbook="PrometheusRuleFailures",
                    ),
                    graph(
                        "Notifications, by receiver",
                        "What Alertmanager sent, by integration.",
                        "ops",
                        Query(
                            "sum by (integration) (rate(alertmanager_notifications_total[$__rate_interval]))",
                            "{{integration}}",
                        ),
                        width=8,
                        runbook="NotificationsFailing",
                    ),
                    graph(
                        "Log lines that failed",
                        "Lines that the collector could not deliver, by output.",
                        "ops",
                        Query("sum by (name) (rate(fluentbit_output_errors_total[$__rate_interval]))", "{{name}}"),
                        Query(
                            "sum by (exporter)"
                            " (rate(otelcol_exporter_send_failed_log_records_total[$__rate_interval]))",
                            "{{exporter}}",
                        ),
                        width=8,
                        runbook="LogPipelineDropsLines",
                    ),
                ],
            ),
        ],
    )
