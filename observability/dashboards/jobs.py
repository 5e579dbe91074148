"""Jobs: what waits, what runs, what failed, and whether leases hold."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from observability.dashboards.parts import AT_LEAST_ONE, Limits, Query, Row, graph, page, tile


def build() -> Dashboard:
    """Failure mode 2, and the dispatcher."""
    return page(
        "jobs",
        "Jobs",
        "Failure mode 2, and the dispatcher. From a job's submission to its end.",
        [
            Row(
                "Now",
                [
                    tile(
                        "Worker processes up",
                        "Worker targets that answer Prometheus. None: no job runs.",
                        "short",
                        'sum(up{ns,job="worker"})',
                        limits=AT_LEAST_ONE,
                    ),
                    tile(
                        "Dispatchers up",
                        "Dispatcher targets that answer. None: jobs and events wait in PostgreSQL.",
                        "short",
                        'sum(up{ns,job="dispatcher"})',
                        limits=AT_LEAST_ONE,
                    ),
                    tile(
                        "Waiting",
                        "Jobs that are due and that no worker has claimed.",
                        "short",
                        "sum(taskhub_jobs_waiting{ns})",
                        limits=Limits(warn=1_000, bad=10_000),
                    ),
                    tile(
                        "Oldest waits",
                        "How long the oldest due job has waited.",
                        "s",
                        "max(taskhub_jobs_oldest_age_seconds{ns})",
                        limits=Limits(warn=30, bad=120),
                    ),
                    tile(
                        "Running",
                        "Jobs that a worker holds a lease on.",
                        "short",
                        'max(taskhub_jobs{ns,state="running"})',
                        limits=Limits(warn=1e6, bad=1e7),
                    ),
                    tile(
                        "Dead",
                        "Jobs that ran out of attempts, kept for 30 days. Inspect and replay them.",
                        "short",
                        'max(taskhub_jobs{ns,state="dead"})',
                        limits=Limits(warn=1, bad=100),
                    ),
                    tile(
                        "Failed attempts",
                        "Share of the attempts of the last 5 minutes that did not succeed.",
                        "percentunit",
                        '1 - sum(rate(taskhub_jobs_finished_total{ns,outcome="succeeded"}[5m])) '
                        "/ sum(rate(taskhub_jobs_finished_total{ns}[5m]))",
                        limits=Limits(warn=0.05, bad=0.25),
                        decimals=1,
                    ),
                    tile(
                        "95 % start within",
                        "From due to claimed.",
                        "s",
                        "histogram_quantile(0.95, sum by (le) (rate(taskhub_job_start_delay_seconds_bucket{ns}[5m])))",
                        limits=Limits(warn=5, bad=30),
                    ),
                ],
            ),
            Row(
                "Waiting and running",
                [
                    graph(
                        "Jobs that are due",
                        "In PostgreSQL: not handed out yet. In the broker: handed out, not claimed.",
                        "short",
                        Query("max by (place) (taskhub_jobs_waiting{ns})", "{{place}}"),
                        width=8,
                        stacked=True,
                        runbook="WorkersStalled",
                    ),
                    graph(
                        "Age of the oldest due job",
                        "Rises in a straight line while nothing is claimed.",
                        "s",
                        Query("max by (queue) (taskhub_jobs_oldest_age_seconds{ns})", "{{queue}}"),
                        limits=Limits(warn=30, bad=120),
                        width=8,
                        runbook="JobsWaitLong",
                    ),
                    graph(
                        "Jobs by state",
                        "Scheduled, running and dead.",
                        "short",
                        Query("max by (state) (taskhub_jobs{ns})", "{{state}}"),
                        width=8,
                        runbook="JobsDying",
                    ),
                    graph(
                        "Claimed, by kind",
                        "Jobs that workers took.",
                        "ops",
                        Query("sum by (kind) (rate(taskhub_jobs_claimed_total{ns}[$__rate_interval]))", "{{kind}}"),
                        width=8,
                        stacked=True,
                    ),
                    graph(
                        "Attempts, by outcome",
                        "Anything but succeeded is worth a look; 'returned' is a worker that shut down.",
                        "ops",
                        Query(
                            "sum by (outcome) (rate(taskhub_jobs_finished_total{ns}[$__rate_interval]))", "{{outcome}}"
                        ),
                        width=8,
                        stacked=True,
                    ),
                    graph(
                        "Attempts that did not succeed, by kind",
                        "One kind: its handler or the other side. Every kind: a part of the platform.",
                        "ops",
                        Query(
                            "sum by (kind, outcome) "
                            '(rate(taskhub_jobs_finished_total{ns,outcome!="succeeded"}[$__rate_interval]))',
                            "{{kind}} {{outcome}}",
                        ),
                        width=8,
                        runbook="JobKindFailing",
                    ),
                    graph(
                        "Delay of the start",
                        "From due to claimed.",
                        "s",
                        Query(
                            "histogram_quantile(0.5, sum by (le) "
                            "(rate(taskhub_job_start_delay_seconds_bucket{ns}[$__rate_interval])))",
                            "half",
                        ),
                        Query(
                            "histogram_quantile(0.99, sum by (le) "
                            "(rate(taskhub_job_start_delay_seconds_bucket{ns}[$__rate_interval])))",
                            "99 %",
                        ),
                        width=12,
                    ),
                    graph(
                        "Time of one attempt, by kind",
                        "95 of 100 attempts took no longer.",
                        "s",
                        Query(
                            "histogram_quantile(0.95, sum by (le, kind) "
                            "(rate(taskhub_job_seconds_bucket{ns}[$__rate_interval])))",
                            "{{kind}}",
                        ),
                        width=12,
                    ),
                ],
            ),
            Row(
                "Leases and fences",
                [
                    graph(
                        "Leases taken back",
                        "Jobs whose worker died or stood still, by what became of them.",
                        "ops",
                        Query(
                            "sum by (outcome) (rate(taskhub_leases_rescued_total{ns}[$__rate_interval]))", "{{outcome}}"
                        ),
                        width=8,
                        runbook="LeasesRescued",
                    ),
                    graph(
                        "Delay of the rescue",
                        "From the end of a lease to its rescue.",
                        "s",
                        Query(
                            "histogram_quantile(0.95, sum by (le) "
                            "(rate(taskhub_lease_rescue_delay_seconds_bucket{ns}[$__rate_interval])))",
                            "95 %",
                        ),
                        width=8,
                    ),
                    graph(
                        "Renewals of leases",
                        "'lost' and 'failed' stop the work before its lease ends.",
                        "ops",
                        Query(
                            "sum by (outcome) (rate(taskhub_lease_renewals_total{ns}[$__rate_interval]))", "{{outcome}}"
                        ),
                        width=8,
                        runbook="LeaseRenewalsFailing",
                    ),
                    graph(
                        "Late writes fenced off",
                        "Writes of a worker that had lost its job. They changed nothing: the fence held.",
                        "ops",
                        Query(
                            "sum by (operation) (rate(taskhub_fenced_writes_total{ns}[$__rate_interval]))",
                            "{{operation}}",
                        ),
                        width=8,
                    ),
                    graph(
                        "Second deliveries refused",
                        "Job ids whose job was claimed or finished already. Harmless; many of them are wasted work.",
                        "ops",
                        Query("sum(rate(taskhub_duplicates_refused_total{ns}[$__rate_interval]))", "refused"),
                        width=8,
                    ),
                    graph(
                        "Webhooks disabled",
                        "Subscriptions that were disabled in the last hour, by reason.",
                        "short",
                        Query("sum by (reason) (increase(taskhub_webhooks_disabled_total{ns}[1h]))", "{{reason}}"),
                        width=8,
                    ),
                ],
            ),
            Row(
                "Dispatcher",
                [
                    graph(
                        "Handed to the broker",
                        "Job ids dispatched, and ids published again because the broker had lost them.",
                        "ops",
                        Query("sum(rate(taskhub_jobs_dispatched_total{ns}[$__rate_interval]))", "dispatched"),
                        Query(
                            "sum by (reason) (rate(taskhub_jobs_republished_total{ns}[$__rate_interval]))",
                            "again: {{reason}}",
                        ),
                        width=8,
                        runbook="BrokerLosesMessages",
                    ),
                    graph(
                        "Passes of the loops, by loop",
                        "95 of 100 passes took no longer. A loop that is missing makes no progress.",
                        "s",
                        Query(
                            "histogram_quantile(0.95, sum by (le, loop) "
                            "(rate(taskhub_dispatcher_pass_seconds_bucket{ns}[$__rate_interval])))",
                            "{{loop}}",
                        ),
                        width=8,
                        runbook="DispatcherLoopStalled",
                    ),
                    graph(
                        "Rows deleted by retention",
                        "What is old goes, table by table. Never any: tables grow until the disk is full.",
                        "ops",
                        Query("sum by (table) (rate(taskhub_rows_purged_total{ns}[$__rate_interval]))", "{{table}}"),
                        width=8,
                    ),
                ],
            ),
        ],
    )
