"""PostgreSQL: whether it answers, who holds it up, and how much room is left."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from observability.dashboards.parts import AT_LEAST_ONE, Limits, Query, Row, graph, page, tile


def build() -> Dashboard:
    """Failure mode 3."""
    return page(
        "postgresql",
        "PostgreSQL",
        "Failure mode 3. The only truth: seen from TaskHub's processes, then from postgres_exporter.",
        [
            Row(
                "Seen from TaskHub",
                [
                    graph(
                        "Reachable, by process",
                        "0: this process could not reach PostgreSQL at its last look. One process: its network.",
                        "short",
                        Query(
                            'min by (job, pod, instance) (taskhub_dependency_up{ns,dependency="postgresql"})',
                            "{{job}} {{pod}} {{instance}}",
                        ),
                        width=8,
                        most=1,
                        runbook="PostgresDown",
                    ),
                    graph(
                        "Units of work repeated",
                        "By why. Repeats hide short outages from clients.",
                        "ops",
                        Query(
                            "sum by (reason) (rate(taskhub_database_retries_total{ns}[$__rate_interval]))", "{{reason}}"
                        ),
                        width=8,
                    ),
                    graph(
                        "Connections lost during COMMIT",
                        "By what the look-up of the idempotency key found afterwards.",
                        "ops",
                        Query(
                            "sum by (found) (rate(taskhub_database_unknown_commits_total{ns}[$__rate_interval]))",
                            "{{found}}",
                        ),
                        width=8,
                    ),
                ],
            ),
            Row(
                "Connections and transactions",
                [
                    tile(
                        "Server",
                        "Whether the exporter reaches the server.",
                        "none",
                        "min(pg_up{ns})",
                        limits=AT_LEAST_ONE,
                        words={"0": ("down", "red"), "1": ("up", "green")},
                        width=6,
                    ),
                    tile(
                        "Connections in use",
                        "Share of max_connections. At 1 new connections are refused.",
                        "percentunit",
                        "sum(pg_stat_activity_count{ns}) / min(pg_settings_max_connections{ns})",
                        limits=Limits(warn=0.7, bad=0.9),
                        width=6,
                        decimals=0,
                    ),
                    tile(
                        "Longest transaction",
                        "Old transactions stop vacuum, and with it the reuse of room and of transaction ids.",
                        "s",
                        "max(pg_stat_activity_max_tx_duration{ns})",
                        limits=Limits(warn=60, bad=300),
                        width=6,
                    ),
                    tile(
                        "Replica is behind",
                        "How far a replica lags. On a single server there is no value.",
                        "s",
                        "max(pg_replication_lag_seconds{ns})",
                        limits=Limits(warn=10, bad=60),
                        width=6,
                    ),
                    graph(
                        "Sessions by state",
                        "'idle in transaction' holds locks; TaskHub's own sessions are ended after 10 s of it.",
                        "short",
                        Query("sum by (state) (pg_stat_activity_count{ns})", "{{state}}"),
                        width=8,
                        stacked=True,
                        runbook="PostgresConnectionsNearLimit",
                    ),
                    graph(
                        "Transactions",
                        "Committed and rolled back.",
                        "ops",
                        Query(
                            'sum(rate(pg_stat_database_xact_commit{ns,datname!~"template.*"}[$__rate_interval]))',
                            "commit",
                        ),
                        Query(
                            'sum(rate(pg_stat_database_xact_rollback{ns,datname!~"template.*"}[$__rate_interval]))',
                            "rollback",
                        ),
                        width=8,
                    ),
                    graph(
                        "Locks and deadlocks",
                        "Locks by mode, and deadlocks each second.",
                        "short",
                        Query("sum by (mode) (pg_locks_count{ns})", "{{mode}}"),
                        Query("sum(rate(pg_stat_database_deadlocks{ns}[$__rate_interval]))", "deadlocks/s"),
                        width=8,
                        runbook="PostgresLongTransaction",
                    ),
                ],
            ),
            Row(
                "Room",
                [
                    graph(
                        "Size of the databases",
                        "A line that only rises: is retention at work (Jobs, rows deleted)?",
                        "bytes",
                        Query('pg_database_size_bytes{ns,datname!~"template.*"}', "{{datname}}"),
                        width=12,
                        runbook="VolumeNearlyFull",
                    ),
                    graph(
                        "Room on the volume",
                        "Share that is free. Without room PostgreSQL refuses writes, and the API answers 503.",
                        "percentunit",
                        Query(
                            "min by (persistentvolumeclaim) ("
                            'kubelet_volume_stats_available_bytes{persistentvolumeclaim=~".*postgres.*"}'
                            ' / kubelet_volume_stats_capacity_bytes{persistentvolumeclaim=~".*postgres.*"})',
                            "{{persistentvolumeclaim}}",
                        ),
                        limits=Limits(warn=0.2, bad=0.1),
                        width=12,
                        most=1,
                        runbook="VolumeNearlyFull",
                    ),
                    graph(
                        "Age of the archive",
                        "Since a segment of the log was archived: what a restore would lose. Without an archive, none.",
                        "s",
                        Query("max by (instance) (pg_stat_archiver_last_archive_age{ns})", "{{instance}}"),
                        limits=Limits(warn=600, bad=1800),
                        width=12,
                        runbook="PostgresArchiveOld",
                    ),
                    graph(
                        "Reads served from memory",
                        "Share of blocks found in PostgreSQL's own buffers.",
                        "percentunit",
                        Query(
                            "sum(rate(pg_stat_database_blks_hit{ns}[$__rate_interval])) / "
                            "(sum(rate(pg_stat_database_blks_hit{ns}[$__rate_interval])) + "
                            "sum(rate(pg_stat_database_blks_read{ns}[$__rate_interval])))",
                            "hit ratio",
                        ),
                        width=12,
                        most=1,
                    ),
                ],
            ),
        ],
    )
