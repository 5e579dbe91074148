"""Settings of the job engine, for every process that takes part in it."""

from pydantic import Field

from taskhub_core.settings import CoreSettings


class JobSettings(CoreSettings):
    """How jobs are leased and handed out."""

    lease_seconds: float = Field(default=15.0, gt=0, description="How long a claim holds without being renewed.")
    lease_renew_seconds: float = Field(default=4.0, gt=0, description="How often a worker renews its leases.")
    lease_margin_seconds: float = Field(
        default=3.0, gt=0, description="A worker that could not renew stops its work this long before the lease ends."
    )
    job_kind_modules: tuple[str, ...] = Field(
        default=(), description="Modules with further job kinds, as a JSON list of import names."
    )
