"""The cluster of all cases, and the report of all of them; `make e2e` runs this folder, `make test` does not."""

import os
import platform
import secrets
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from taskhub_local.faults.client import Client
from taskhub_local.faults.pulse import Pulse
from taskhub_local.faults.runner import Setting
from taskhub_local.faults.stage import Stage
from tests.e2e import watch
from tests.e2e.argo import Argo, is_installed
from tests.e2e.cases import CASES, GROUPS, QUICK
from tests.e2e.cluster.paths import KUBECONFIG, STATE
from tests.e2e.cluster.tools import tool
from tests.e2e.cluster.wait import until
from tests.e2e.folder import FOLDER
from tests.e2e.helm import Helm
from tests.e2e.install import prepare, reach_of
from tests.e2e.kube import Kube
from tests.e2e.reach import SinkHooks, front
from tests.e2e.report import markdown, outcomes_in, write_report
from tests.e2e.scene import LOOK_SECONDS

_HANDOVER_SECONDS = 420


@dataclass(slots=True)
class Seen:
    """What the driver of the case under way lets others look at."""

    client: Client | None = None
    stage: Stage | None = None

    def watch(self, client: Client, _pulse: Pulse, stage: Stage) -> None:
        """Take it; the driver calls this."""
        self.client, self.stage = client, stage


@dataclass(frozen=True, slots=True)
class Cluster:
    """The cluster under test, and how the driver gets at it."""

    kube: Kube
    helm: Helm
    setting: Setting
    seen: Seen


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("e2e")
    group.addoption(
        "--case", default="", help="names of cases or of their modules, with commas between: only these run"
    )
    group.addoption("--kubeconfig", type=Path, default=KUBECONFIG, help="the cluster under test")
    group.addoption("--e2e-seed", type=int, default=None, help="seed of the load (default: random)")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "e2e: needs the cluster of make e2e")
    config.addinivalue_line("markers", "quick: a case of the short run")
    if config.getoption("--e2e-seed") is None:
        config.option.e2e_seed = secrets.randbelow(1_000_000)


def pytest_report_header(config: pytest.Config) -> str:
    return f"load seed: {config.option.e2e_seed} (repeat with --e2e-seed)"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test for each case that was asked for."""
    if "case_name" not in metafunc.fixturenames:
        return
    wanted = [name for name in metafunc.config.getoption("--case").replace(",", " ").split() if name]
    unknown = sorted(set(wanted) - CASES.keys() - GROUPS.keys())
    if unknown:
        raise pytest.UsageError(f"there is no case {', '.join(unknown)}; there are: {', '.join([*CASES, *GROUPS])}")
    chosen = {name for one in wanted for name in GROUPS.get(one, (one,))}
    if not wanted:  # Argo CD takes long, and its cluster is another: CASE=gitops asks for its cases
        chosen = {case.name for case in CASES.values() if not case.gitops}
    metafunc.parametrize(
        "case_name",
        [pytest.param(name, marks=[pytest.mark.quick] if name in QUICK else []) for name in CASES if name in chosen],
    )


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Leave the report of every case whose outcome is there, of earlier runs with CASE=... too."""
    if config.option.collectonly or not FOLDER.exists():
        return
    outcomes = outcomes_in(FOLDER, list(CASES))
    if not outcomes:
        return
    from tests.e2e.picture import draw

    machine = {
        "processors": os.cpu_count(),
        "memory_bytes": psutil.virtual_memory().total,
        "system": platform.platform(),
        "seed": config.option.e2e_seed,
    }
    write_report(FOLDER, outcomes, machine)
    draw(FOLDER / "report.png", outcomes)
    terminalreporter.ensure_newline()
    terminalreporter.write_line(markdown(outcomes))
    terminalreporter.write_line(f"the report: {FOLDER}/report.md, report.json and report.png")


@pytest.fixture(scope="session")
def seed(pytestconfig: pytest.Config) -> int:
    """What the load is dealt from."""
    return int(pytestconfig.option.e2e_seed)


@pytest.fixture(scope="session")
def cluster(pytestconfig: pytest.Config) -> Cluster:
    """The cluster, with the driver's job kinds in it. What earlier runs left of a whole report goes."""
    kubeconfig: Path = pytestconfig.getoption("--kubeconfig")
    if not kubeconfig.exists():
        pytest.fail(f"there is no cluster: {kubeconfig} is missing. Make one with: make cluster")
    if not pytestconfig.getoption("--case"):
        shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True, exist_ok=True)
    kube = Kube(kubeconfig)
    helm = Helm(tool("helm"), kubeconfig)
    say("giving the apps the fault driver's job kinds")
    prepare(kube, helm, FOLDER)
    if watch.is_there():
        say("waiting until Prometheus has every rule")
        watch.until_known(kube.alerts())
    seen = Seen()
    setting = Setting(
        target=reach_of(kube),
        folder=FOLDER / "ledgers",
        kinds=True,
        say=say,
        watch=seen.watch,
        front=front((STATE / "ca.crt").read_text()),
        look_seconds=LOOK_SECONDS,
        receiver=SinkHooks,
    )
    return Cluster(kube, helm, setting, seen)


@pytest.fixture(scope="session")
def argo(cluster: Cluster) -> Iterator[Argo]:
    """Argo CD, which runs the releases from now on. At the end it lets go of them, and Helm can change them again."""
    if not is_installed(cluster.kube):
        pytest.skip("there is no Argo CD in this cluster; this puts it there: make e2e CASE=gitops")
    say("handing the releases over to Argo CD")
    argo = Argo(cluster.kube)
    try:
        commit = argo.begin()
        until(lambda: argo.all_run(commit), f"Argo CD runs {commit}", seconds=_HANDOVER_SECONDS)
        yield argo
    finally:
        argo.let_go()


def say(line: str) -> None:
    """Tell a person who watches (pytest -s) what is going on."""
    sys.stdout.write(f"  {time.strftime('%H:%M:%S')} {line}\n")
    sys.stdout.flush()
