"""Search: who answers, how far the index is behind, and how Elasticsearch is."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from observability.dashboards.parts import Limits, Query, Row, graph, page, states, tile

_BREAKER = {"0": ("closed", "green"), "1": ("half open", "orange"), "2": ("open", "red")}


def build() -> Dashboard:
    """Failure mode 6."""
    return page(
        "search",
        "Search",
        "Failure mode 6. Elasticsearch is derived: while it is away PostgreSQL answers, labelled degraded.",
        [
            Row(
                "Answers",
                [
                    tile(
                        "Answered degraded",
                        "Share of searches that PostgreSQL answered in Elasticsearch's place.",
                        "percentunit",
                        "(sum(rate(taskhub_searches_degraded_total{ns}[5m])) or vector(0)) "
                        "/ sum(rate(taskhub_searches_total{ns}[5m]))",
                        limits=Limits(warn=0.01, bad=0.5),
                        width=6,
                        decimals=0,
                    ),
                    tile(
                        "Drift",
                        "Documents that differed from PostgreSQL at the last reconciliation.",
                        "short",
                        "sum(max by (difference) (taskhub_index_drift_documents{ns}))",
                        limits=Limits(warn=1, bad=1_000),
                        width=6,
                    ),
                    tile(
                        "Since the last reconciliation",
                        "Drift is only known as of then.",
                        "s",
                        "time() - max(taskhub_index_reconciled_timestamp_seconds{ns})",
                        limits=Limits(warn=90_000, bad=180_000),
                        width=6,
                    ),
                    tile(
                        "99 % indexed within",
                        "From the commit of a change to its effect in the index.",
                        "s",
                        "histogram_quantile(0.99, sum by (le) (rate(taskhub_event_lag_seconds_bucket{ns}[5m])))",
                        limits=Limits(warn=10, bad=30),
                        width=6,
                    ),
                    graph(
                        "Searches by source",
                        "Who answered: Elasticsearch, or PostgreSQL in its place.",
                        "reqps",
                        Query("sum by (source) (rate(taskhub_searches_total{ns}[$__rate_interval]))", "{{source}}"),
                        width=8,
                        stacked=True,
                        runbook="SearchDegraded",
                    ),
                    graph(
                        "Degraded, by reason",
                        "Why Elasticsearch did not answer.",
                        "reqps",
                        Query(
                            "sum by (reason) (rate(taskhub_searches_degraded_total{ns}[$__rate_interval]))",
                            "{{reason}}",
                        ),
                        width=8,
                        runbook="SearchDegraded",
                    ),
                    graph(
                        "Time of a search",
                        "From request to answer.",
                        "s",
                        Query(
                            "histogram_quantile(0.95, sum by (le) "
                            '(rate(taskhub_http_request_seconds_bucket{ns,route="/v1/search"}[$__rate_interval])))',
                            "95 %",
                        ),
                        width=8,
                    ),
                    states(
                        "Breakers",
                        "Open: Elasticsearch is not asked, so that no search waits for it.",
                        Query(
                            "max by (breaker, pod, instance) (taskhub_breaker_state{ns})",
                            "{{breaker}} {{pod}} {{instance}}",
                        ),
                        words=_BREAKER,
                        width=12,
                        runbook="ElasticsearchDown",
                    ),
                    graph(
                        "Drift, by difference",
                        "missing: not in the index. stale: an older version. superfluous: deleted in PostgreSQL.",
                        "short",
                        Query("max by (difference) (taskhub_index_drift_documents{ns})", "{{difference}}"),
                        width=12,
                        runbook="SearchIndexDrift",
                    ),
                ],
            ),
            Row(
                "Elasticsearch",
                [
                    graph(
                        "Health of the cluster",
                        "1 at the colour it has. Yellow is right for a single node.",
                        "short",
                        Query("max by (color) (elasticsearch_cluster_health_status{ns})", "{{color}}"),
                        width=8,
                        most=1,
                        runbook="ElasticsearchRed",
                    ),
                    graph(
                        "Heap in use",
                        "Share of the heap. Above 0.85 for long: long pauses, then breakers of its own.",
                        "percentunit",
                        Query(
                            'max by (name) (elasticsearch_jvm_memory_used_bytes{ns,area="heap"} '
                            '/ elasticsearch_jvm_memory_max_bytes{ns,area="heap"})',
                            "{{name}}",
                        ),
                        limits=Limits(warn=0.75, bad=0.9),
                        width=8,
                        most=1,
                        runbook="ElasticsearchHeapFull",
                    ),
                    graph(
                        "Free disk",
                        "Share that is free. Below 0.05 Elasticsearch turns its indices read-only.",
                        "percentunit",
                        Query(
                            "min by (name) (elasticsearch_filesystem_data_available_bytes{ns} "
                            "/ elasticsearch_filesystem_data_size_bytes{ns})",
                            "{{name}}",
                        ),
                        limits=Limits(warn=0.15, bad=0.05),
                        width=8,
                        most=1,
                        runbook="ElasticsearchDiskNearlyFull",
                    ),
                    graph(
                        "Documents",
                        "In all indices, replicas left out.",
                        "short",
                        Query("sum(elasticsearch_indices_docs_primary{ns})", "documents"),
                        width=12,
                    ),
                    graph(
                        "Nodes and shards without a node",
                        "Shards that are unassigned after a node left come back by themselves, or not at all: red.",
                        "short",
                        Query("max(elasticsearch_cluster_health_number_of_nodes{ns})", "nodes"),
                        Query("max(elasticsearch_cluster_health_unassigned_shards{ns})", "unassigned shards"),
                        width=12,
                    ),
                ],
            ),
        ],
    )
