"""Redis: the broker, and the cache if it shares the server."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from observability.dashboards.parts import AT_LEAST_ONE, UP_DOWN, Limits, Query, Row, graph, page, tile


def build() -> Dashboard:
    """Failure mode 4."""
    return page(
        "redis",
        "Redis",
        "Failure mode 4. It holds no truth: a wipe costs seconds. Seen from TaskHub, then from redis_exporter.",
        [
            Row(
                "Seen from TaskHub",
                [
                    graph(
                        "Reachable, by process",
                        "0: this process could not reach Redis at its last look.",
                        "short",
                        Query(
                            'min by (job, pod, instance) (taskhub_dependency_up{ns,dependency="redis"})',
                            "{{job}} {{pod}} {{instance}}",
                        ),
                        width=8,
                        most=1,
                        runbook="RedisDown",
                    ),
                    graph(
                        "Messages in the broker",
                        "No line: the broker cannot be read, which is not the same as empty.",
                        "short",
                        Query("max by (queue) (taskhub_broker_messages{ns})", "{{queue}}"),
                        width=8,
                        runbook="WorkersStalled",
                    ),
                    graph(
                        "Publishes that failed, and jobs published again",
                        "After a wipe or a restart without data, lost ids are published again within seconds.",
                        "ops",
                        Query("sum by (broker) (rate(taskhub_publish_failures_total{ns}[$__rate_interval]))", "failed"),
                        Query(
                            "sum by (reason) (rate(taskhub_jobs_republished_total{ns}[$__rate_interval]))",
                            "again: {{reason}}",
                        ),
                        width=8,
                        runbook="BrokerPublishFailing",
                    ),
                ],
            ),
            Row(
                "Server",
                [
                    tile(
                        "Server",
                        "Whether the exporter reaches the server.",
                        "none",
                        "min(redis_up{ns})",
                        limits=AT_LEAST_ONE,
                        words=UP_DOWN,
                        width=6,
                    ),
                    tile(
                        "Memory in use",
                        "Share of maxmemory; no value where none is set.",
                        "percentunit",
                        "max(redis_memory_used_bytes{ns} / (redis_memory_max_bytes{ns} > 0))",
                        limits=Limits(warn=0.75, bad=0.9),
                        width=6,
                        decimals=0,
                    ),
                    tile(
                        "Up since",
                        "Seconds since the server started. Short: it has just restarted.",
                        "s",
                        "min(redis_uptime_in_seconds{ns})",
                        limits=Limits(warn=300, bad=60),
                        width=6,
                    ),
                    tile(
                        "Replicas",
                        "Connected replicas; 0 is right for the single server of kind.",
                        "short",
                        "max(redis_connected_slaves{ns})",
                        limits=Limits(warn=0, bad=-1),
                        width=6,
                    ),
                    graph(
                        "Memory",
                        "Used, and the most it may use.",
                        "bytes",
                        Query("redis_memory_used_bytes{ns}", "used {{instance}}"),
                        Query("redis_memory_max_bytes{ns}", "most {{instance}}"),
                        width=8,
                        runbook="RedisMemoryNearLimit",
                    ),
                    graph(
                        "Keys evicted",
                        "A broker must never evict (maxmemory-policy noeviction); a cache may.",
                        "ops",
                        Query(
                            "sum by (instance) (rate(redis_evicted_keys_total{ns}[$__rate_interval]))", "{{instance}}"
                        ),
                        width=8,
                        runbook="RedisEvictsKeys",
                    ),
                    graph(
                        "Clients",
                        "Connected clients, as many as there may be, and connections refused each second.",
                        "short",
                        Query("redis_connected_clients{ns}", "connected {{instance}}"),
                        Query("redis_max_clients{ns}", "limit {{instance}}"),
                        Query("rate(redis_rejected_connections_total{ns}[$__rate_interval])", "refused/s {{instance}}"),
                        width=8,
                        runbook="RedisClientsNearLimit",
                    ),
                    graph(
                        "Commands",
                        "Commands each second.",
                        "ops",
                        Query("rate(redis_commands_processed_total{ns}[$__rate_interval])", "{{instance}}"),
                        width=12,
                    ),
                    graph(
                        "Cache hits",
                        "Share of look-ups that found their key.",
                        "percentunit",
                        Query(
                            "sum(rate(redis_keyspace_hits_total{ns}[$__rate_interval])) / "
                            "(sum(rate(redis_keyspace_hits_total{ns}[$__rate_interval])) + "
                            "sum(rate(redis_keyspace_misses_total{ns}[$__rate_interval])))",
                            "hits",
                        ),
                        width=12,
                        most=1,
                    ),
                ],
            ),
        ],
    )
