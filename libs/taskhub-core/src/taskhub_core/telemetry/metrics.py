"""Every Prometheus metric that TaskHub's own code emits, in one place: the contract with dashboards and alerts.

Names follow the Prometheus conventions (base units, `_total` for counters). Labels are bounded: route templates, job
kinds, reasons; never ids. What cannot be measured has no value, never 0 (rule 12 of the design).
"""

from prometheus_client import Counter, Gauge, Histogram

_FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0)
_SLOW = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900)

# HTTP, in the API
REQUESTS = Counter("taskhub_http_requests_total", "Requests answered.", ["method", "route", "status"])
REQUEST_SECONDS = Histogram(
    "taskhub_http_request_seconds", "Time to answer, in seconds.", ["method", "route"], buckets=_FAST
)
REQUESTS_IN_PROGRESS = Gauge(
    "taskhub_http_requests_in_progress", "Requests being worked on.", multiprocess_mode="livesum"
)
REQUESTS_SHED = Counter("taskhub_http_requests_shed_total", "Requests turned away by load shedding.", ["reason"])
EVENT_LOOP_LAG_SECONDS = Histogram(
    "taskhub_event_loop_lag_seconds", "How late the event loop comes round.", buckets=_FAST
)
IDEMPOTENT_REPLAYS = Counter("taskhub_idempotent_replays_total", "Answers replayed for a repeated Idempotency-Key.")
RATE_LIMITED = Counter("taskhub_rate_limited_total", "Requests refused by the rate limiter.", ["limit"])
LOGINS = Counter("taskhub_logins_total", "Logins, by outcome.", ["outcome"])
REFRESH_TOKENS_REUSED = Counter(
    "taskhub_refresh_tokens_reused_total", "Refresh tokens used twice: each ended its session."
)
RATE_LIMITER_BYPASSED = Counter(
    "taskhub_rate_limiter_bypassed_total", "Requests let through because the limiter's store is away."
)

# PostgreSQL
DATABASE_RETRIES = Counter("taskhub_database_retries_total", "Units of work repeated after a failure.", ["reason"])
DATABASE_UNKNOWN_COMMITS = Counter(
    "taskhub_database_unknown_commits_total", "Connections lost during COMMIT, by what the look-up found.", ["found"]
)
POOL_CONNECTIONS = Gauge(
    "taskhub_database_pool_connections", "Pool connections.", ["state"], multiprocess_mode="livesum"
)
POOL_LIMIT = Gauge(
    "taskhub_database_pool_limit", "Connections that the pool may open.", ["pool"], multiprocess_mode="livesum"
)
DEPENDENCY_UP = Gauge(
    "taskhub_dependency_up",
    "Whether a dependency answered the last probe.",
    ["dependency"],
    multiprocess_mode="livemin",
)

# The outbox and the dispatcher
# (Gauges without a label would show 0 in every process that imports them, and could not lose their value.)
OUTBOX_DEPTH = Gauge(
    "taskhub_outbox_depth", "Events committed and not yet in SQS.", ["queue"], multiprocess_mode="livemax"
)
OUTBOX_AGE_SECONDS = Gauge(
    "taskhub_outbox_oldest_age_seconds", "Age of the oldest such event.", ["queue"], multiprocess_mode="livemax"
)
OUTBOX_SENT = Counter("taskhub_outbox_sent_total", "Events handed to SQS.")
OUTBOX_FAILURES = Counter("taskhub_outbox_failures_total", "Events that SQS did not take at this try.", ["reason"])
QUEUE_DEPTH = Gauge(
    "taskhub_jobs_waiting", "Jobs due and not claimed, by where they wait.", ["place"], multiprocess_mode="livemax"
)
QUEUE_AGE_SECONDS = Gauge(
    "taskhub_jobs_oldest_age_seconds", "How long the oldest due job has waited.", ["queue"], multiprocess_mode="livemax"
)
JOBS_STATE = Gauge("taskhub_jobs", "Jobs by state (scheduled, running, dead).", ["state"], multiprocess_mode="livemax")
BROKER_QUEUE_DEPTH = Gauge(
    "taskhub_broker_messages",
    "Messages in the broker's queue; no value when it cannot be read.",
    ["queue"],
    multiprocess_mode="livemax",
)
CLOCK_OFFSET_SECONDS = Gauge(
    "taskhub_clock_offset_seconds",
    "How far this machine's clock is ahead of the other's.",
    ["against"],
    multiprocess_mode="livemostrecent",
)
JOBS_DISPATCHED = Counter("taskhub_jobs_dispatched_total", "Job ids handed to the broker.")
JOBS_REPUBLISHED = Counter(
    "taskhub_jobs_republished_total", "Jobs published again because the broker lost them.", ["reason"]
)
PUBLISH_FAILURES = Counter("taskhub_publish_failures_total", "Publishes that the broker did not take.", ["broker"])
LEASES_RESCUED = Counter(
    "taskhub_leases_rescued_total", "Jobs taken back from workers whose lease ran out.", ["outcome"]
)
RESCUE_DELAY_SECONDS = Histogram(
    "taskhub_lease_rescue_delay_seconds", "From a lease's end to its rescue.", buckets=_SLOW
)
DISPATCHER_PASS_SECONDS = Histogram(
    "taskhub_dispatcher_pass_seconds", "One pass of a dispatcher loop.", ["loop"], buckets=_FAST
)
ROWS_PURGED = Counter("taskhub_rows_purged_total", "Rows deleted by retention.", ["table"])

# Worker
JOBS_CLAIMED = Counter("taskhub_jobs_claimed_total", "Jobs claimed.", ["kind"])
CLAIMS_REFUSED = Counter(
    "taskhub_duplicates_refused_total", "Job ids delivered whose job was already claimed or finished."
)
JOBS_FINISHED = Counter("taskhub_jobs_finished_total", "Attempts ended, by outcome.", ["kind", "outcome"])
JOB_SECONDS = Histogram("taskhub_job_seconds", "Time one attempt took.", ["kind"], buckets=_SLOW)
JOB_START_DELAY_SECONDS = Histogram("taskhub_job_start_delay_seconds", "From due to claimed.", ["kind"], buckets=_SLOW)
FENCED_WRITES = Counter(
    "taskhub_fenced_writes_total", "Writes of a worker that had lost its job: they touched 0 rows.", ["operation"]
)
LEASE_RENEWALS = Counter("taskhub_lease_renewals_total", "Renewals of leases.", ["outcome"])
WEBHOOKS_DISABLED = Counter(
    "taskhub_webhooks_disabled_total",
    "Subscriptions disabled: the receiver is gone, or failed for too long.",
    ["reason"],
)

# The SQS consumer
EVENTS_CONSUMED = Counter("taskhub_events_consumed_total", "Events processed, by outcome.", ["outcome"])
EVENTS_REJECTED = Counter("taskhub_events_rejected_total", "Messages moved to the DLQ by the consumer.", ["reason"])
EVENT_LAG_SECONDS = Histogram("taskhub_event_lag_seconds", "From an event's commit to its effect.", buckets=_SLOW)
CONSUMER_PAUSED = Gauge(
    "taskhub_consumer_paused", "1 while receiving is paused for a dependency.", ["queue"], multiprocess_mode="livemax"
)
SQS_MESSAGES = Gauge(
    "taskhub_sqs_messages",
    "Messages by queue and visibility; no value when it cannot be read.",
    ["queue", "visibility"],
    multiprocess_mode="livemax",
)
SQS_UP = Gauge(
    "taskhub_sqs_up", "Whether the queue's attributes could be read.", ["queue"], multiprocess_mode="livemin"
)

# Search
SEARCHES = Counter("taskhub_searches_total", "Searches answered, by source.", ["source"])
SEARCHES_DEGRADED = Counter(
    "taskhub_searches_degraded_total", "Searches that PostgreSQL answered in Elasticsearch's place.", ["reason"]
)
BREAKER_STATE = Gauge(
    "taskhub_breaker_state", "0 closed, 1 half open, 2 open.", ["breaker"], multiprocess_mode="livemax"
)
INDEX_DRIFT = Gauge(
    "taskhub_index_drift_documents",
    "Differences the last reconciliation found.",
    ["difference"],
    multiprocess_mode="livemax",
)
INDEX_RECONCILED = Gauge(
    "taskhub_index_reconciled_timestamp_seconds", "When it ended, as Unix time.", ["index"], multiprocess_mode="livemax"
)
