"""The platform at a glance: the eight failure modes as eight tiles, the service levels, and what is degraded now."""

from grafana_foundation_sdk.builders import stat
from grafana_foundation_sdk.models.dashboard import Dashboard

from observability.dashboards.parts import AT_LEAST_ONE, UP_DOWN, Limits, Query, Row, firing, graph, page, states, tile


def _dependency(name: str) -> str:
    return f'min(taskhub_dependency_up{{ns,dependency="{name}"}})'


_OBJECTIVES = (
    ("Budget left: availability", "99.9 % of requests are not answered with 5xx.", "availability", "ApiAvailability"),
    ("Budget left: latency", "99 % of requests are answered within half a second.", "latency", "ApiLatency"),
    ("Budget left: job start", "99 % of due jobs start within 5 seconds.", "job-start", "JobStart"),
    ("Budget left: freshness", "99 % of changes are searchable within 10 s.", "search-freshness", "SearchFreshness"),
)


def _budget(title: str, objective: str, slo: str, alert: str) -> stat.Panel:
    return tile(
        title,
        f"Share of the error budget of 30 days that is left; 0 % is used up. The objective: {objective}",
        "percentunit",
        f'clamp_min(slo:error_budget_remaining:ratio{{slo="{slo}"}}, 0)',
        limits=Limits(warn=0.5, bad=0.1),
        runbook=f"{alert}BurnsFast",
        width=6,
        decimals=0,
    )


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
                        limits=AT_LEAST_ONE,
                        words=UP_DOWN,
                        opens="postgresql",
                    ),
                    tile(
                        "4 Redis",
                        "Whether every process reached Redis at its last look. Down: jobs wait, writes do not.",
                        "none",
                        _dependency("redis"),
                        limits=AT_LEAST_ONE,
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
                        limits=AT_LEAST_ONE,
                        words=UP_DOWN,
                        opens="search",
                    ),
                    tile(
                        "7 Ingress and TLS",
                        "Whether the probe from outside gets an answer with a valid certificate.",
                        "none",
                        "min(probe_success)",
                        limits=AT_LEAST_ONE,
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
                    *(_budget(*one) for one in _OBJECTIVES),
                    graph(
                        "Burn rate, 1 h",
                        "How fast each error budget is used: at 1 it lasts exactly 30 days, at 14.4 two days.",
                        "short",
                        Query("slo:error_ratio:rate1h / (1 - slo:objective:ratio)", "{{slo}}"),
                        width=24,
                        limits=Limits(warn=1, bad=14.4),
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
