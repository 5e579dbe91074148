"""Settings of the job engine, for every process that takes part in it."""

from typing import Self

from pydantic import Field, model_validator

from taskhub_core.settings import CoreSettings


class JobSettings(CoreSettings):
    """How jobs are leased and handed out."""

    lease_seconds: float = Field(default=15.0, gt=0, description="How long a claim holds without being renewed.")
    lease_renew_seconds: float = Field(default=4.0, gt=0, description="How often a worker renews its leases.")
    lease_margin_seconds: float = Field(
        default=3.0, gt=0, description="A worker that could not renew stops its work this long before the lease ends."
    )
    shutdown_grace_seconds: float = Field(
        default=10.0, ge=0, description="How long a running job may go on after SIGTERM before it is given back."
    )
    soft_shutdown_seconds: float = Field(
        default=25.0,
        gt=0,
        description="How long a worker may take from SIGTERM to its end; then it is ended by force. Keep it below the "
        "pod's terminationGracePeriodSeconds.",
    )
    broker_visibility_timeout_seconds: int = Field(
        default=43_200,
        gt=0,
        description="After this time the broker gives a message that nobody acknowledged to another worker. More than "
        "the hard limit of every job kind. Nothing waits for it: leases find dead workers much sooner.",
    )
    job_kind_modules: tuple[str, ...] = Field(
        default=(), description="Modules with further job kinds, as a JSON list of import names."
    )

    @model_validator(mode="after")
    def _times_fit_together(self) -> Self:
        if self.lease_renew_seconds + self.lease_margin_seconds >= self.lease_seconds:
            raise ValueError("lease_renew_seconds + lease_margin_seconds must be less than lease_seconds")
        if self.shutdown_grace_seconds + self.lease_margin_seconds > self.soft_shutdown_seconds:
            raise ValueError("shutdown_grace_seconds + lease_margin_seconds must not exceed soft_shutdown_seconds")
        if self.soft_shutdown_seconds >= self.broker_visibility_timeout_seconds:
            raise ValueError("soft_shutdown_seconds must be less than broker_visibility_timeout_seconds")
        return self
