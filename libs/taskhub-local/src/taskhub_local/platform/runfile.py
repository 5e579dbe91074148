"""run.json: what other commands, tests and the fault driver need to know about a running platform."""

from datetime import datetime
from enum import StrEnum
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from taskhub_local.errors import NotRunningError
from taskhub_local.platform.secrets import write_private
from taskhub_local.process.record import ProcessRecord


class PartState(StrEnum):
    """What a part is doing."""

    WAITING = "waiting"
    STARTING = "starting"
    READY = "ready"
    FAILED = "failed"
    UNAVAILABLE = "unavailable"
    STOPPED = "stopped"


class PartInfo(BaseModel):
    """One part: its process (None while it has none), where it listens and where its log is."""

    model_config = ConfigDict(frozen=True)

    name: str
    state: PartState
    detail: str
    pid: int | None
    url: str
    log: Path


class AccountInfo(BaseModel):
    """An account to log in with."""

    model_config = ConfigDict(frozen=True)

    email: str
    password: str


class RunInfo(BaseModel):
    """The content of run.json (mode 0600: it holds passwords). Rewritten whenever a part changes."""

    model_config = ConfigDict(frozen=True)

    schema_version: int = 1
    pid: int
    """The process of `taskhub up`: SIGTERM stops the platform."""
    started_at: datetime
    state_dir: Path
    api_url: str
    urls: dict[str, str]
    """Pages for people: docs, mail, ..."""
    metrics_urls: dict[str, str]
    """/metrics of each app, by part name."""
    parts: list[PartInfo]
    environment: dict[str, str]
    """The variables that every app runs with (not its metrics port)."""
    demo: AccountInfo
    operator: AccountInfo

    def part(self, name: str) -> PartInfo:
        """Return one part. Raises KeyError if there is none of that name."""
        for part in self.parts:
            if part.name == name:
                return part
        raise KeyError(name)


def run_file(state: Path) -> Path:
    """Where run.json of a state folder is."""
    return state / "run.json"


def write_run(state: Path, info: RunInfo) -> None:
    """Replace run.json."""
    write_private(run_file(state), info.model_dump_json(indent=2))


def read_run(state: Path) -> RunInfo:
    """Return what runs. Raises NotRunningError if nothing does (a run.json without its process counts as nothing)."""
    supervisor = ProcessRecord.read(supervisor_record(state))
    path = run_file(state)
    if supervisor is None or supervisor.find() is None or not path.exists():
        raise NotRunningError(f"nothing runs in {state}. Start the platform with: make up")
    return RunInfo.model_validate_json(path.read_text())


def supervisor_record(state: Path) -> Path:
    """Where the process of `taskhub up` is recorded (not among the parts' records)."""
    return state / "up.json"
