"""TaskHub's own processes: API, worker, dispatcher and SQS consumer, as their console scripts."""

import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from taskhub_local.errors import PartFailedError
from taskhub_local.parts.base import Part, PartFolders


class App(StrEnum):
    """The processes, in the order they start; the values are their names in the terminal, logs and run.json."""

    API = "api"
    WORKER = "worker"
    DISPATCHER = "dispatcher"
    CONSUMER = "sqs-consumer"


_COMMANDS: Mapping[App, tuple[str, ...]] = {
    App.API: ("taskhub-api", "serve"),
    App.WORKER: ("taskhub-worker",),
    App.DISPATCHER: ("taskhub-dispatcher",),
    App.CONSUMER: ("taskhub-sqs-consumer",),
}


def script(name: str) -> str:
    """Return the path of a console script of the environment that we run in."""
    return str(Path(sys.executable).parent / name)


class AppPart(Part):
    """One of TaskHub's processes, ready when its health page says so."""

    ready_deadline_seconds = 60.0
    # Longer than an app's own draining, so that a job in hand is finished or given back.
    stop_signals = ((signal.SIGTERM, 30.0),)

    def __init__(
        self, app: App, folders: PartFolders, *, url: str, ready_path: str, environment: Mapping[str, str]
    ) -> None:
        """`url` is the address that people want to know, `ready_path` the page on it that answers 200 when ready."""
        super().__init__(app.value, folders, environment=environment)
        self.app = app
        self._url = url
        self._ready_url = f"{url}{ready_path}"

    @property
    def url(self) -> str:
        """The API itself, or a process's page of metrics and health."""
        return self._url

    def command(self) -> Sequence[str]:
        """The app's console script."""
        name, *arguments = _COMMANDS[self.app]
        return [script(name), *arguments]

    def is_ready(self) -> bool:
        """Whether its health page answers 200."""
        try:
            with urlopen(self._ready_url, timeout=3) as answer:  # noqa: S310 - our own loopback URL
                return bool(answer.status == 200)
        except (URLError, OSError):
            return False


def run_once(
    name: str, command: Sequence[str], folders: PartFolders, environment: Mapping[str, str], *, stdin: str = ""
) -> None:
    """Run one of the apps' commands to its end. Raises PartFailedError, with what it said, if it fails."""
    result = subprocess.run(  # noqa: S603 - commands are built by this package
        [script(command[0]), *command[1:]],
        input=stdin,
        env=dict(environment),
        cwd=folders.state,
        capture_output=True,
        text=True,
        check=False,
    )
    output = result.stdout + result.stderr
    with folders.log(name).open("a") as log:
        log.write(output)
    if result.returncode != 0:
        lines = output.strip().splitlines()
        raise PartFailedError(
            f"{' '.join(command)} failed ({lines[-1] if lines else 'it said nothing'}); {folders.log(name)}"
        )
