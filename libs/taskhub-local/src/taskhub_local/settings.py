"""The settings of the `taskhub` command."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class LocalSettings(BaseSettings):
    """Where the platform on this machine keeps its things."""

    model_config = SettingsConfigDict(env_prefix="TASKHUB_", extra="ignore", frozen=True)

    state_dir: Path = Field(
        default=Path(".taskhub"), description="The folder of data, logs and secrets of `taskhub up`."
    )
