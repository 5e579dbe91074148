"""The platform under test, as the driver reaches for it: its addresses, and its processes to be killed and frozen."""

import signal
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import psutil

from taskhub_local.errors import LocalError
from taskhub_local.faults.reach import job_id_of_mail
from taskhub_local.mail.mailbox import Mailbox
from taskhub_local.platform.runfile import PartState, RunInfo

type Describe = Callable[[], RunInfo]
"""Says what runs right now: `Platform.run_info` in its own process, `read_run` from another one."""


class Target:
    """Finds each process anew at every call, because the supervisor replaces what dies."""

    def __init__(self, describe: Describe) -> None:
        self.describe = describe
        self.primary = "postgres"
        """The part that is PostgreSQL, which takes the writes."""

    @property
    def api_url(self) -> str:
        """Where the API listens."""
        return self.describe().api_url

    def setting(self, name: str) -> str | None:
        """Return one of the variables that the apps run with, without its TASKHUB_ prefix."""
        return self.describe().environment.get(f"TASKHUB_{name}")

    @property
    def database_url(self) -> str:
        """PostgreSQL itself, also where the apps reach it through a proxy."""
        return self.describe().part(self.primary).url

    @property
    def elasticsearch_url(self) -> str | None:
        """Elasticsearch, if the platform has it and it is running."""
        for part in self.describe().parts:
            if part.name == "elasticsearch" and part.state is not PartState.UNAVAILABLE:
                return part.url
        return None

    @property
    def metrics_urls(self) -> Mapping[str, str]:
        """/metrics of each app, by part name."""
        return self.describe().metrics_urls

    def mails(self, recipient: str) -> Iterator[uuid.UUID]:
        """Yield the job id of each mail to that address."""
        for mail in Mailbox(Path(self.describe().state_dir) / "mail").messages():
            if recipient in mail.recipients:
                yield job_id_of_mail(str(mail.message["Message-ID"]))

    def process(self, part: str) -> psutil.Process:
        """Return the process of a part. Raises LocalError if it has none now."""
        pid = self.describe().part(part).pid
        if pid is not None:
            with suppress(psutil.NoSuchProcess):
                return psutil.Process(pid)
        raise LocalError(f"{part} does not run")

    def is_ready(self, part: str) -> bool:
        """Whether the supervisor has seen it ready since its last start."""
        return self.describe().part(part).state is PartState.READY

    def kill(self, part: str, number: signal.Signals = signal.SIGKILL) -> psutil.Process:
        """Send a signal to a part's process and return that process."""
        process = self.process(part)
        process.send_signal(number)
        return process

    def freeze(self, part: str) -> "Frozen":
        """SIGSTOP a part with all that it started; `thaw` what is returned."""
        return freeze(self.process(part))

    def children(self, part: str) -> list[psutil.Process]:
        """The processes that a part started, and theirs."""
        return self.process(part).children(recursive=True)


class Frozen:
    """Processes that stand still."""

    def __init__(self, processes: list[psutil.Process]) -> None:
        self.processes = processes

    def thaw(self) -> None:
        """SIGCONT them. What is gone by now is left alone."""
        for process in reversed(self.processes):
            with suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGCONT)


def freeze(process: psutil.Process) -> Frozen:
    """SIGSTOP a process and its descendants: the parent first, so that it cannot start another one unnoticed."""
    process.send_signal(signal.SIGSTOP)
    stopped = [process]
    for child in process.children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            child.send_signal(signal.SIGSTOP)
            stopped.append(child)
    return Frozen(stopped)
