"""The settings that apps share, one class a need; each app composes its own class from these.

Every field is read from the environment as ``TASKHUB_`` plus its name in capitals. Units are in the names.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AnyUrl, Field, SecretStr, UrlConstraints
from pydantic_settings import BaseSettings, SettingsConfigDict

PostgresUrl = Annotated[AnyUrl, UrlConstraints(allowed_schemes=["postgresql"])]
RedisUrl = Annotated[AnyUrl, UrlConstraints(allowed_schemes=["redis", "rediss", "unix"])]
HttpUrl = Annotated[AnyUrl, UrlConstraints(allowed_schemes=["http", "https"])]


class CoreSettings(BaseSettings):
    """What every settings class of TaskHub has in common: where values come from."""

    # A value in an error message may be a secret.
    model_config = SettingsConfigDict(env_prefix="TASKHUB_", extra="ignore", frozen=True, hide_input_in_errors=True)


class DatabaseSettings(CoreSettings):
    """How to reach PostgreSQL, the only source of truth."""

    database_url: PostgresUrl = Field(
        description="PostgreSQL, as postgresql://user:password@host:port/name?sslmode=..."
    )
    database_pool_size: int = Field(default=10, ge=1, description="Connections one process keeps open.")
    database_pool_wait_seconds: float = Field(
        default=1.0, gt=0, description="How long a unit of work waits for a free connection before it fails."
    )
    database_connect_timeout_seconds: int = Field(
        default=2, ge=1, description="How long opening one connection may take (libpq counts in whole seconds)."
    )
    database_statement_timeout_ms: int = Field(
        default=5_000, ge=1, description="PostgreSQL cancels a statement that runs longer."
    )
    database_lock_timeout_ms: int = Field(
        default=2_000, ge=1, description="PostgreSQL gives up waiting for a lock after this time."
    )
    database_idle_in_transaction_timeout_ms: int = Field(
        default=10_000,
        ge=1,
        description="PostgreSQL ends a session that leaves its transaction open and idle this long.",
    )
    database_pooler: Literal["none", "transaction"] = Field(
        default="none",
        description="'transaction' behind PgBouncer in transaction mode: no start-up options, no prepared statements, "
        "no session state. Timeouts then come from the database role (the migration command sets them there).",
    )
    database_direct_url: PostgresUrl | None = Field(
        default=None,
        description="PostgreSQL without a pooler between, for LISTEN and for migrations. Default: database_url.",
    )


class RedisSettings(CoreSettings):
    """What the broker's and the cache's Redis have in common."""

    redis_ca_file: Path | None = Field(
        default=None,
        description="The CA that signed the certificates of rediss:// URLs, as a PEM file. Default: the public CAs.",
    )


class BrokerSettings(RedisSettings):
    """How to reach Redis, which carries Celery messages. It holds no truth and may be wiped at any moment."""

    redis_url: RedisUrl = Field(description="Redis that carries the job messages.")
    redis_socket_timeout_seconds: float = Field(
        default=2.0,
        gt=0,
        description="A Redis command that takes longer counts as failed (a frozen Redis never answers).",
    )
    redis_connect_timeout_seconds: float = Field(
        default=1.0, gt=0, description="How long opening a connection to Redis may take."
    )
    redis_health_check_seconds: int = Field(
        default=5, ge=1, description="A connection to Redis that was silent this long is checked before it is used."
    )
    job_queue_name: str = Field(
        default="taskhub-jobs",
        description="The Celery queue that carries job ids: where the dispatcher puts them, unless their kind has a "
        "queue of its own, and where a worker takes them from.",
    )


class QueueSettings(CoreSettings):
    """How to reach SQS, which carries events from the outbox to the consumer."""

    sqs_endpoint_url: HttpUrl | None = Field(
        default=None, description="SQS at another address than AWS's own (ElasticMQ, moto). Default: AWS."
    )
    aws_region: str = Field(default="us-east-1", description="The AWS region of the queues.")
    sqs_queue_name: str = Field(default="taskhub-events", description="The queue of events.")
    sqs_dlq_name: str = Field(default="taskhub-events-dlq", description="Where events go that could not be processed.")
    sqs_connect_timeout_seconds: float = Field(default=1.0, gt=0, description="How long connecting to SQS may take.")
    sqs_read_timeout_seconds: float = Field(
        default=5.0, gt=0, description="How long an answer of SQS may take (long polls add their own wait)."
    )


class SearchSettings(CoreSettings):
    """How to reach Elasticsearch, a derived view. Without a URL, PostgreSQL answers searches."""

    elasticsearch_url: HttpUrl | None = Field(
        default=None, description="Elasticsearch. Unset: searches are answered by PostgreSQL and nothing is indexed."
    )
    elasticsearch_api_key: SecretStr | None = Field(
        default=None, description="API key for Elasticsearch, when it asks."
    )
    elasticsearch_ca_file: Path | None = Field(
        default=None,
        description="The CA that signed Elasticsearch's certificate, as a PEM file. Default: the public CAs.",
    )
    search_alias: str = Field(
        default="taskhub-tasks", description="The alias that reads and writes of the index go to."
    )
    search_timeout_ms: int = Field(
        default=400, ge=1, description="A search that takes longer in Elasticsearch is answered by PostgreSQL."
    )


class CacheSettings(RedisSettings):
    """The cache, which also holds the rate limiter's counters. Losing it costs time, never data."""

    cache_url: RedisUrl | None = Field(default=None, description="Redis for the cache. Default: no cache.")
    cache_timeout_seconds: float = Field(
        default=0.1, gt=0, description="A cache that takes longer is treated as away: a miss, or a request let through."
    )


class MailSettings(CoreSettings):
    """How mail leaves TaskHub."""

    smtp_host: str = Field(default="127.0.0.1", description="The SMTP server that takes TaskHub's mail.")
    smtp_port: int = Field(default=25, ge=1, le=65_535, description="Its port.")
    smtp_starttls: bool = Field(default=False, description="Whether to upgrade the connection with STARTTLS.")
    smtp_username: str | None = Field(default=None, description="User name for SMTP AUTH, when the server asks.")
    smtp_password: SecretStr | None = Field(default=None, description="Password for SMTP AUTH.")
    smtp_timeout_seconds: float = Field(default=10.0, gt=0, description="How long one SMTP command may take.")
    mail_from: str = Field(default="TaskHub <no-reply@taskhub.invalid>", description="The From header of every mail.")


class WebhookSettings(CoreSettings):
    """How webhooks are delivered."""

    webhook_allow_private_addresses: bool = Field(
        default=False,
        description="Let webhooks reach private and loopback addresses. Only for development: it lets a client make "
        "TaskHub talk to its own network.",
    )
    webhook_timeout_seconds: float = Field(default=10.0, gt=0, description="How long one delivery may take.")
    webhook_disable_after_hours: float = Field(
        default=24.0, gt=0, description="A subscription that only failed for this long is disabled."
    )


class TelemetrySettings(CoreSettings):
    """What a process tells about itself."""

    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The least severe log line written."
    )
    log_format: Literal["json", "console"] = Field(default="json", description="'console' is for people's eyes only.")
    metrics_host: str = Field(
        default="0.0.0.0",  # noqa: S104 - Prometheus scrapes from outside the container
        description="The address that /metrics and the health endpoints listen on.",
    )
    metrics_port: int = Field(default=9100, ge=0, le=65_535, description="The port of /metrics. 0 picks a free one.")
    otel_endpoint: HttpUrl | None = Field(
        default=None,
        description="OTLP/HTTP collector for traces. Unset: no tracing. Away: traces are dropped, nothing waits.",
    )
    environment: str = Field(
        default="development", description="The name of this deployment, on every log line and trace."
    )
