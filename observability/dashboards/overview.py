"""The platform at a glance: the eight failure modes as eight tiles, the service levels, and what is degraded now."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from observability.dashboards.parts import UP_DOWN, Limits, Query, Row, firing, graph, page, states, tile

_DOWN_AT_ONCE = Limits(warn=1, bad=1)


def _dependency(name: str) -> str:
    return f'min(taskhub_dependency_up{{ns,dependency="{name}"}})'


def build() -> Dashboard:
    """Where to look first."""
    return page(
        "overview",
        "Overview",
        "Eight tiles, one a failure mode. One that is not green says where to go: a click opens its dashboard.",
        [
            Row(
                "The eight failure modes",
                [
                    tile(
                        "1 API",
                        "Share of requests of the last 5 minutes that were not answered with 5xx.",
                        "percentunit",
                        'sum(rate(taskhub_http_requests_total{ns,status!~"5.."}[5m])) '
                        "/ sum(rate(taskhub_http_requests_total{ns}[5m]))",
                        limits=Limits(warn=0.999, bad=0.99),
                        opens="api",
                        decimals=2,
                    ),
                    tile(
                        "2 Workers",
                        "How long the oldest job that is due has waited for a worker.",
                        "s",
                        "max(taskhub_jobs_oldest_age_seconds{ns})",
                        limits=Limits(warn=30, bad=120),
                        opens="jobs",
                    ),
                    tile(
                        "3 PostgreSQL",
                        "Whether every process reached PostgreSQL at its last look.",
                        "none",
                        _dependency("postgresql"),
                        limits=_DOWN_AT_ONCE,
                        words=UP_DOWN,
                        opens="postgresql",
                    ),
                    tile(
                        "4 Redis",
                        "Whether every process reached Redis at its last look. Down: jobs wait, writes do not.",
                        "none",
                        _dependency("redis"),
                        limits=_DOWN_AT_ONCE,
                        words=UP_DOWN,
                        opens="redis",
                    ),
                    tile(
                        "5 SQS",
                        "Age of the oldest event that SQS has not taken yet.",
                        "s",
                        "max(taskhub_outbox_oldest_age_seconds{ns})",
                        limits=Limits(warn=30, bad=300),
                        opens="sqs",
                    ),
                    tile(
                        "6 Search",
                        "Whether every process reached Elasticsearch. Down: PostgreSQL answers searches.",
                        "none",
                        _dependency("elasticsearch"),
                        limits=_DOWN_AT_ONCE,
                        words=UP_DOWN,
                        opens="search",
                    ),
                    tile(
                        "7 Ingress and TLS",
                        "Whether the probe from outside gets an answer with a valid certificate.",
                        "none",
                        "min(probe_success)",
                        limits=_DOWN_AT_ONCE,
                        words=UP_DOWN,
                        opens="ingress",
                    ),
                    tile(
                        "8 Observability",
                        "Share of scrape targets that answer Prometheus.",
                        "percentunit",
                        "avg(up)",
                        limits=Limits(warn=1, bad=0.9),
                        opens="observability",
                        decimals=0,
                    ),
                ],
            ),
            Row(
                "Service levels",
                [
                    tile(
                        "Availability, 6 h",
                        "Share of requests not answered with 5xx. The objective is 99.9 % over 30 days.",
                        "percentunit",
                        'sum(rate(taskhub_http_requests_total{ns,status!~"5.."}[6h])) '
                        "/ sum(rate(taskhub_http_requests_total{ns}[6h]))",
                        limits=Limits(warn=0.9995, bad=0.999),
                        width=6,
                        decimals=3,
                    ),
                    tile(
                        "Requests within 250 ms",
                        "Share of the last hour's requests that were answered within 250 ms. The objective is 99 %.",
                        "percentunit",
                        'sum(rate(taskhub_http_request_seconds_bucket{ns,le="0.25"}[1h])) '
                        "/ sum(rate(taskhub_http_request_seconds_count{ns}[1h]))",
                        limits=Limits(warn=0.995, bad=0.99),
                        width=6,
                        decimals=2,
                    ),
                    tile(
                        "Jobs started within 5 s",
                        "Share of the last hour's jobs that a worker took within 5 s of being due.",
                        "percentunit",
                        'sum(rate(taskhub_job_start_delay_seconds_bucket{ns,le="5.0"}[1h])) '
                        "/ sum(rate(taskhub_job_start_delay_seconds_count{ns}[1h]))",
                        limits=Limits(warn=0.995, bad=0.99),
                        width=6,
                        decimals=2,
                    ),
                    tile(
                        "Changes searchable within 30 s",
                        "Share of the last hour's events whose effect was there within 30 s of the commit.",
                        "percentunit",
                        'sum(rate(taskhub_event_lag_seconds_bucket{ns,le="30.0"}[1h])) '
                        "/ sum(rate(taskhub_event_lag_seconds_count{ns}[1h]))",
                        limits=Limits(warn=0.995, bad=0.99),
                        width=6,
                        decimals=2,
                    ),
                ],
            ),
            Row(
                "What is degraded now",
                [
                    firing("Alerts that fire", "Each name links to its runbook. Empty: nothing fires.", "", width=12),
                    states(
                        "Dependencies, as the processes see them",
                        "Red where at least one process could not reach it. No bar: nobody could look.",
                        Query("min by (dependency) (taskhub_dependency_up{ns})", "{{dependency}}"),
                        words=UP_DOWN,
                        width=12,
                    ),
                    graph(
                        "Requests",
                        "Answered requests by class of status. A rising 5xx share is what clients feel.",
                        "reqps",
                        Query(
                            "sum by (class) (label_replace(rate(taskhub_http_requests_total{ns}[$__rate_interval]),"
                            ' "class", "${1}xx", "status", "(.).."))',
                            "{{class}}",
                        ),
                        width=8,
                        stacked=True,
                    ),
                    graph(
                        "Waiting work",
                        "Jobs that are due and unclaimed, and events that SQS has not taken. Both drain by themselves.",
                        "short",
                        Query("sum(taskhub_jobs_waiting{ns})", "jobs"),
                        Query("sum(taskhub_outbox_depth{ns})", "events"),
                        width=8,
                    ),
                    graph(
                        "Degraded answers",
                        "Answers that were given without the usual part: searches by PostgreSQL, an absent rate "
                        "limiter, requests shed.",
                        "reqps",
                        Query("sum(rate(taskhub_searches_degraded_total{ns}[$__rate_interval]))", "degraded searches"),
                        Query(
                            "sum(rate(taskhub_rate_limiter_bypassed_total{ns}[$__rate_interval]))", "limiter bypassed"
                        ),
                        Query("sum(rate(taskhub_http_requests_shed_total{ns}[$__rate_interval]))", "shed"),
                        width=8,
                    ),
                ],
            ),
        ],
    )
