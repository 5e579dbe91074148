"""One platform for all cases, one report for all of them; `make faults` runs this folder, `make test` does not."""

import os
import platform
import secrets
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest
from rich.console import Console

from taskhub_local.faults.case import Case
from taskhub_local.faults.host import Host
from taskhub_local.faults.report import CaseReport, Skipped, show, write_json
from taskhub_local.faults.runner import Setting

REPORT = Path(__file__).parents[2] / ".taskhub" / "faults" / "report.json"


@dataclass
class Reports:
    """What every case came to."""

    done: list[CaseReport] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)

    def take(self, report: CaseReport) -> None:
        """Keep the report, and fail the test if a promise was broken."""
        self.done.append(report)
        if not report.passed:
            pytest.fail("\n".join(report.failures), pytrace=False)


_REPORTS = pytest.StashKey[Reports]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("faults")
    group.addoption("--fault-seed", type=int, default=None, help="seed of the load and of the soak (default: random)")
    group.addoption("--soak", type=float, default=0.0, help="seconds of faults picked at random, instead of the cases")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "quick: a fault case that CI runs")
    config.addinivalue_line("markers", "soak: faults at random, only with --soak")
    config.stash[_REPORTS] = Reports()
    if config.getoption("--fault-seed") is None:
        config.option.fault_seed = secrets.randbelow(1_000_000)


def pytest_report_header(config: pytest.Config) -> str:
    return f"fault seed: {config.option.fault_seed} (repeat with --fault-seed)"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The soak runs alone, and only when asked for."""
    wanted = bool(config.getoption("--soak"))
    left_out = [item for item in items if ("soak" in item.keywords) != wanted]
    items[:] = [item for item in items if item not in left_out]
    config.hook.pytest_deselected(items=left_out)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    reports = config.stash[_REPORTS]
    if not reports.done:
        return
    terminalreporter.ensure_newline()
    console = Console(highlight=False, width=None if Console().is_terminal else 200)
    show(console, reports.done, reports.skipped)
    machine = {
        "processors": os.cpu_count(),
        "memory_bytes": psutil.virtual_memory().total,
        "system": platform.platform(),
        "python": platform.python_version(),
        "seed": config.option.fault_seed,
    }
    write_json(REPORT, reports.done, reports.skipped, machine)
    console.print(f"the figures as JSON: {REPORT}", markup=False)


@pytest.fixture(scope="session")
def seed(pytestconfig: pytest.Config) -> int:
    """What the load is dealt from."""
    return int(pytestconfig.option.fault_seed)


@pytest.fixture(scope="session")
def reports(pytestconfig: pytest.Config) -> Reports:
    """Where each case leaves its report."""
    return pytestconfig.stash[_REPORTS]


@pytest.fixture(scope="session")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """The platform under test. Elasticsearch is left out where it cannot run, except in CI."""
    with Host(tmp_path_factory.mktemp("platform"), say=say) as running:
        if os.environ.get("CI") and running.target.elasticsearch_url is None:
            pytest.fail(f"CI must test with Elasticsearch: {running.platform.search_note}")
        yield running


@pytest.fixture(scope="session")
def setting(host: Host, tmp_path_factory: pytest.TempPathFactory) -> Setting:
    """Where the cases run."""
    return Setting(target=host.target, folder=tmp_path_factory.mktemp("ledgers"), kinds=True, host=host, say=say)


def say(line: str) -> None:
    """Tell a person who watches (pytest -s) what is going on."""
    sys.stdout.write(f"  {line}\n")
    sys.stdout.flush()


def skip_unless_possible(case: Case, setting: Setting, reports: Reports) -> None:
    """Skip a case that this platform cannot run, and keep the reason for the report."""
    reason = setting.lacks(case)
    if reason is not None:
        reports.skipped.append(Skipped(case.name, reason))
        pytest.skip(reason)
