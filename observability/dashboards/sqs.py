"""Events: from the outbox through SQS to the consumer, and the dead-letter queue."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from observability.dashboards.parts import AT_LEAST_ONE, Limits, Query, Row, graph, page, states, tile

_PAUSED = {"0": ("receiving", "green"), "1": ("paused", "orange")}


def build() -> Dashboard:
    """Failure mode 5."""
    return page(
        "sqs",
        "SQS and consumer",
        "Failure mode 5. An event's way: outbox, queue, consumer, effect; and what fell by the wayside.",
        [
            Row(
                "Now",
                [
                    tile(
                        "Consumers up",
                        "Consumer targets that answer Prometheus.",
                        "short",
                        'sum(up{ns,job="sqs-consumer"})',
                        limits=AT_LEAST_ONE,
                        width=4,
                    ),
                    tile(
                        "Outbox",
                        "Events committed and not yet in SQS.",
                        "short",
                        "sum(taskhub_outbox_depth{ns})",
                        limits=Limits(warn=1_000, bad=10_000),
                        width=4,
                    ),
                    tile(
                        "Oldest in the outbox",
                        "Age of the oldest such event.",
                        "s",
                        "max(taskhub_outbox_oldest_age_seconds{ns})",
                        limits=Limits(warn=30, bad=300),
                        width=4,
                    ),
                    tile(
                        "In the queue",
                        "Messages of the queue of events that wait for a consumer.",
                        "short",
                        'sum(taskhub_sqs_messages{ns,visibility="visible",queue!~".*dlq"})',
                        limits=Limits(warn=1_000, bad=10_000),
                        width=4,
                    ),
                    tile(
                        "In the DLQ",
                        "Messages that could not be processed. Look into them, then redrive or drop.",
                        "short",
                        'sum(taskhub_sqs_messages{ns,visibility="visible",queue=~".*dlq"})',
                        limits=Limits(warn=1, bad=100),
                        width=4,
                    ),
                    tile(
                        "95 % take effect within",
                        "From the commit of an event to its effect.",
                        "s",
                        "histogram_quantile(0.95, sum by (le) (rate(taskhub_event_lag_seconds_bucket{ns}[5m])))",
                        limits=Limits(warn=10, bad=30),
                        width=4,
                    ),
                ],
            ),
            Row(
                "Outbox to SQS",
                [
                    graph(
                        "Events in the outbox",
                        "Rises while SQS is away or the dispatcher stands still; drains by itself.",
                        "short",
                        Query("max by (queue) (taskhub_outbox_depth{ns})", "{{queue}}"),
                        width=8,
                        runbook="OutboxOld",
                    ),
                    graph(
                        "Sent to SQS",
                        "Events that SQS took.",
                        "ops",
                        Query("sum(rate(taskhub_outbox_sent_total{ns}[$__rate_interval]))", "sent"),
                        width=8,
                    ),
                    graph(
                        "Not taken by SQS",
                        "away: SQS did not answer. refused: it would not have them. too_large: they never fit.",
                        "ops",
                        Query(
                            "sum by (reason) (rate(taskhub_outbox_failures_total{ns}[$__rate_interval]))", "{{reason}}"
                        ),
                        width=8,
                        runbook="OutboxRefused",
                    ),
                ],
            ),
            Row(
                "Queues",
                [
                    graph(
                        "Messages by queue",
                        "No line: the queue cannot be read, which is not the same as empty.",
                        "short",
                        Query("max by (queue, visibility) (taskhub_sqs_messages{ns})", "{{queue}} {{visibility}}"),
                        width=12,
                        runbook="SqsBacklogOld",
                    ),
                    graph(
                        "Whether the queues can be read",
                        "0: the figures beside are missing.",
                        "short",
                        Query("min by (queue) (taskhub_sqs_up{ns})", "{{queue}}"),
                        width=12,
                        most=1,
                        runbook="SqsQueueUnreadable",
                    ),
                ],
            ),
            Row(
                "Consumer",
                [
                    graph(
                        "Events processed, by outcome",
                        "'duplicate' is the inbox at work: the event had its effect already.",
                        "ops",
                        Query(
                            "sum by (outcome) (rate(taskhub_events_consumed_total{ns}[$__rate_interval]))",
                            "{{outcome}}",
                        ),
                        width=8,
                        stacked=True,
                        runbook="EventsFailing",
                    ),
                    graph(
                        "Messages moved to the DLQ",
                        "By why. A schema that the consumer does not know means: the consumer is older than the API.",
                        "ops",
                        Query(
                            "sum by (reason) (rate(taskhub_events_rejected_total{ns}[$__rate_interval]))", "{{reason}}"
                        ),
                        width=8,
                        runbook="SqsDlqNotEmpty",
                    ),
                    graph(
                        "From commit to effect",
                        "Half of the events, and 99 of 100.",
                        "s",
                        Query(
                            "histogram_quantile(0.5, sum by (le) "
                            "(rate(taskhub_event_lag_seconds_bucket{ns}[$__rate_interval])))",
                            "half",
                        ),
                        Query(
                            "histogram_quantile(0.99, sum by (le) "
                            "(rate(taskhub_event_lag_seconds_bucket{ns}[$__rate_interval])))",
                            "99 %",
                        ),
                        limits=Limits(warn=10, bad=30),
                        width=8,
                        runbook="SearchIndexLag",
                    ),
                    states(
                        "Receiving",
                        "Paused while PostgreSQL or Elasticsearch is away: messages stay in SQS and burn no receives.",
                        Query("max by (queue) (taskhub_consumer_paused{ns})", "{{queue}}"),
                        words=_PAUSED,
                        runbook="ConsumerPaused",
                    ),
                ],
            ),
        ],
    )
