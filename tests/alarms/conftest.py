"""The watched cluster, and the table of what was paged; `make alarms` runs this folder, `make test` does not."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import httpx
import pytest

from taskhub_local.faults.runner import Setting
from tests.e2e import watch
from tests.e2e.cluster.paths import KUBECONFIG, STATE
from tests.e2e.cluster.progress import say
from tests.e2e.cluster.tools import tool
from tests.e2e.helm import Helm
from tests.e2e.install import reach_of
from tests.e2e.kube import Kube
from tests.e2e.reach import front
from tests.e2e.scene import LOOK_SECONDS

FOLDER = STATE.parent / "alarms"


@dataclass(frozen=True, slots=True)
class Told:
    """What one drill came to. Times in seconds."""

    drill: str
    alert: str
    paged_after: float
    """From the break to the notice at the receiver."""
    within: float
    resolved_after: float
    """From the beginning of the mending to the notice that it is over."""
    beside: tuple[str, ...]
    """Other alerts that fired meanwhile, all of them allowed."""

    def save(self) -> None:
        """Leave it for the table."""
        FOLDER.mkdir(parents=True, exist_ok=True)
        (FOLDER / f"{self.drill}.json").write_text(json.dumps(asdict(self), indent=1) + "\n")


@dataclass(frozen=True, slots=True)
class Watched:
    """The cluster."""

    kube: Kube
    helm: Helm
    setting: Setting


@pytest.fixture(scope="session")
def watched() -> Watched:
    """The cluster of `make alarms`. Fails where there is none, or where nothing watches it."""
    if not KUBECONFIG.exists():
        pytest.fail(f"there is no cluster: {KUBECONFIG} is missing. Make one with: make cluster ARGS=--traces")
    try:
        watch.firing()
        watch.watchdog()
    except httpx.HTTPError as error:
        pytest.fail(f"nothing watches the cluster ({error!r}). Add it with: make cluster ARGS=--traces")
    kube = Kube(KUBECONFIG)
    watch.until_known(kube.alerts())
    edge = front((STATE / "ca.crt").read_text())
    setting = Setting(target=reach_of(kube), folder=FOLDER, kinds=False, front=edge, say=say, look_seconds=LOOK_SECONDS)
    return Watched(kube, Helm(tool("helm"), KUBECONFIG), setting)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Show what every drill came to whose outcome is there, of earlier runs too."""
    if config.option.collectonly or not FOLDER.exists():
        return
    terminalreporter.ensure_newline()
    terminalreporter.write_line(table(FOLDER))


def table(folder: Path) -> str:
    """Return the table, as Markdown."""
    rows = [
        "| what is gone or wrong | alert | came after | within | taken back after | beside it |",
        "|---|---|--:|--:|--:|---|",
    ]
    for path in sorted(folder.glob("*.json")):
        told = Told(**json.loads(path.read_text()))
        beside = ", ".join(told.beside) or "nothing"
        rows.append(
            f"| {told.drill} | {told.alert} | {told.paged_after:.0f} s | {told.within:.0f} s |"
            f" {told.resolved_after:.0f} s | {beside} |"
        )
    return "\n".join(rows)
