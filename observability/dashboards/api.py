"""The API: rate, errors and duration of each route, and what it is short of."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from observability.dashboards.parts import Limits, Query, Row, graph, page, tile

_ALL = "sum(rate(taskhub_http_requests_total{ns}[5m]))"


def build() -> Dashboard:
    """Failure mode 1."""
    return page(
        "api",
        "API",
        "Failure mode 1. Rate, errors and duration per route; then saturation; then what clients repeat.",
        [
            Row(
                "Now",
                [
                    tile(
                        "Processes up",
                        "API processes that answer Prometheus. None: the API is down.",
                        "short",
                        'sum(up{ns,job="api"})',
                        limits=Limits(warn=2, bad=1),
                        width=6,
                    ),
                    tile(
                        "Requests",
                        "Requests answered each second.",
                        "reqps",
                        _ALL,
                        limits=Limits(warn=1e6, bad=1e7),
                        width=6,
                    ),
                    tile(
                        "Errors",
                        "Share of requests answered with 5xx.",
                        "percentunit",
                        '(sum(rate(taskhub_http_requests_total{ns,status=~"5.."}[5m])) or vector(0)) / ' + _ALL,
                        limits=Limits(warn=0.001, bad=0.01),
                        width=6,
                        decimals=2,
                    ),
                    tile(
                        "99 % answered within",
                        "The time within which 99 of 100 requests were answered.",
                        "s",
                        "histogram_quantile(0.99, sum by (le) (rate(taskhub_http_request_seconds_bucket{ns}[5m])))",
                        limits=Limits(warn=0.5, bad=1),
                        width=6,
                    ),
                ],
            ),
            Row(
                "Rate, errors, duration by route",
                [
                    graph(
                        "Requests by route",
                        "Routes are templates, never paths with ids.",
                        "reqps",
                        Query(
                            "sum by (method, route) (rate(taskhub_http_requests_total{ns}[$__rate_interval]))",
                            "{{method}} {{route}}",
                        ),
                        width=8,
                    ),
                    graph(
                        "5xx by route",
                        "503 means that nothing was changed (a dependency is away, or load was shed); "
                        "500 is a fault of ours.",
                        "reqps",
                        Query(
                            "sum by (method, route, status) "
                            '(rate(taskhub_http_requests_total{ns,status=~"5.."}[$__rate_interval]))',
                            "{{status}} {{method}} {{route}}",
                        ),
                        width=8,
                        runbook="ApiFaults",
                    ),
                    graph(
                        "95 % answered within, by route",
                        "Slow everywhere: look at PostgreSQL and at the event loop. Slow in one route: at its queries.",
                        "s",
                        Query(
                            "histogram_quantile(0.95, sum by (le, method, route) "
                            "(rate(taskhub_http_request_seconds_bucket{ns}[$__rate_interval])))",
                            "{{method}} {{route}}",
                        ),
                        width=8,
                        runbook="ApiSlow",
                    ),
                ],
            ),
            Row(
                "Saturation",
                [
                    graph(
                        "Requests in progress",
                        "Beyond TASKHUB_MAX_REQUESTS_IN_PROGRESS (200 a process by default) requests are turned away.",
                        "short",
                        Query(
                            'sum by (pod, instance) (taskhub_http_requests_in_progress{ns,job="api"})',
                            "{{pod}} {{instance}}",
                        ),
                        limits=Limits(warn=150, bad=200),
                        width=8,
                        runbook="ApiSaturated",
                    ),
                    graph(
                        "Requests shed",
                        "Requests turned away with 503, by what ran out.",
                        "reqps",
                        Query(
                            "sum by (reason) (rate(taskhub_http_requests_shed_total{ns}[$__rate_interval]))",
                            "{{reason}}",
                        ),
                        width=8,
                        runbook="ApiSaturated",
                    ),
                    graph(
                        "Lateness of the event loop",
                        "How late the loop comes round, 99 times of 100. Late: not enough CPU, or code that blocks.",
                        "s",
                        Query(
                            "histogram_quantile(0.99, sum by (le) "
                            "(rate(taskhub_event_loop_lag_seconds_bucket{ns}[$__rate_interval])))",
                            "99 %",
                        ),
                        limits=Limits(warn=0.1, bad=0.5),
                        width=8,
                        runbook="ApiEventLoopLate",
                    ),
                    graph(
                        "Connections of the pools",
                        "All in use: units of work wait, and after a second fail with 503.",
                        "short",
                        Query("sum by (state) (taskhub_database_pool_connections{ns})", "{{state}}"),
                        Query("sum(taskhub_database_pool_limit{ns})", "limit"),
                        width=8,
                        runbook="ApiPoolExhausted",
                    ),
                    graph(
                        "Memory of the processes",
                        "Resident memory. A line that only rises is a leak, and ends in OOMKilled.",
                        "bytes",
                        Query('process_resident_memory_bytes{ns,job="api"}', "{{pod}} {{instance}}"),
                        width=8,
                        runbook="ContainerMemoryNearLimit",
                    ),
                    graph(
                        "CPU of the processes",
                        "Processors in use. One process uses at most one.",
                        "short",
                        Query(
                            'rate(process_cpu_seconds_total{ns,job="api"}[$__rate_interval])', "{{pod}} {{instance}}"
                        ),
                        width=8,
                    ),
                ],
            ),
            Row(
                "Clients and accounts",
                [
                    graph(
                        "Repeated requests",
                        "Answers replayed for a repeated Idempotency-Key: clients that retried.",
                        "reqps",
                        Query("sum(rate(taskhub_idempotent_replays_total{ns}[$__rate_interval]))", "replayed"),
                        width=8,
                    ),
                    graph(
                        "Rate limiter",
                        "Requests refused by each limit, and requests let through because the cache is away.",
                        "reqps",
                        Query("sum by (limit) (rate(taskhub_rate_limited_total{ns}[$__rate_interval]))", "{{limit}}"),
                        Query("sum(rate(taskhub_rate_limiter_bypassed_total{ns}[$__rate_interval]))", "bypassed"),
                        width=8,
                        runbook="RateLimiterBypassed",
                    ),
                    graph(
                        "Logins",
                        "Logins by outcome, and refresh tokens used twice (each ended its session).",
                        "reqps",
                        Query("sum by (outcome) (rate(taskhub_logins_total{ns}[$__rate_interval]))", "{{outcome}}"),
                        Query("sum(rate(taskhub_refresh_tokens_reused_total{ns}[$__rate_interval]))", "reused"),
                        width=8,
                        runbook="RefreshTokensReused",
                    ),
                ],
            ),
        ],
    )
