"""Every setting of the API."""

from typing import Self

from pydantic import Field, SecretStr, model_validator

from taskhub_core.jobs.settings import JobSettings
from taskhub_core.settings import (
    BrokerSettings,
    CacheSettings,
    DatabaseSettings,
    QueueSettings,
    SearchSettings,
    TelemetrySettings,
    WebhookSettings,
)

_SHORTEST_KEY = 32


class ApiSettings(
    DatabaseSettings,
    BrokerSettings,
    QueueSettings,
    SearchSettings,
    CacheSettings,
    WebhookSettings,
    JobSettings,
    TelemetrySettings,
):
    """What the API reads from its environment. The broker and SQS are only probed for their state, never written to."""

    api_host: str = Field(
        default="0.0.0.0",  # noqa: S104 - the ingress reaches it from outside the container
        description="The address to listen on.",
    )
    api_port: int = Field(default=8000, ge=0, le=65_535, description="The port to listen on.")
    jwt_keys: dict[str, SecretStr] = Field(
        description="Signing keys as a JSON object, key id to secret (at least 32 bytes). "
        "Keep an old key until the tokens it signed have expired."
    )
    jwt_active_kid: str = Field(description="The key id that new tokens are signed with.")
    access_token_seconds: int = Field(default=900, ge=1, description="How long an access token is valid.")
    refresh_token_seconds: int = Field(default=1_209_600, ge=1, description="How long a refresh token is valid.")
    unit_deadline_seconds: float = Field(
        default=1.8, gt=0, description="A unit of work that PostgreSQL has not finished by then is answered with 503."
    )
    request_deadline_seconds: float = Field(
        default=10.0, gt=0, description="Any request that takes longer is answered with 503."
    )
    request_body_limit_bytes: int = Field(default=1_048_576, ge=1, description="The largest JSON body.")
    max_requests_in_progress: int = Field(
        default=200, ge=1, description="Requests beyond this many at once are turned away with 503, not queued."
    )
    max_streams: int = Field(default=200, ge=1, description="Open event streams beyond this many are turned away.")
    password_time_cost: int = Field(default=2, ge=1, description="Passes of argon2id over its memory.")
    password_memory_kib: int = Field(
        default=19_456,
        ge=8,
        description="Memory that hashing one password takes (OWASP asks for 19 MiB with 2 passes).",
    )
    password_hashes_at_once: int = Field(
        default=2, ge=1, description="Passwords that are hashed at the same time; twenty times as many may wait."
    )
    login_limit_per_minute: int = Field(default=20, ge=1, description="Logins per client address and minute.")
    login_failures_per_email_per_hour: int = Field(
        default=30, ge=1, description="Failed logins per account and hour, wherever they come from."
    )
    register_limit_per_hour: int = Field(default=60, ge=1, description="Registrations per client address and hour.")
    trusted_proxies: str = Field(
        default="127.0.0.1", description="Addresses whose X-Forwarded-For is believed, comma-separated, or *."
    )
    probe_seconds: float = Field(default=5.0, gt=0, description="How often the state of each dependency is probed.")
    drain_seconds: float = Field(
        default=10.0, ge=0, description="How long requests in progress may take to end after SIGTERM."
    )

    @model_validator(mode="after")
    def _check_keys(self) -> Self:
        for kid, secret in self.jwt_keys.items():
            if len(secret.get_secret_value().encode()) < _SHORTEST_KEY:
                raise ValueError(f"jwt_keys: the secret of {kid!r} is shorter than {_SHORTEST_KEY} bytes")
        if self.jwt_active_kid not in self.jwt_keys:
            raise ValueError(f"jwt_active_kid {self.jwt_active_kid!r} is not one of jwt_keys")
        return self
