"""`taskhub chaos`: one named fault against the running platform, shown live, with its verdict at the end.

It works on an account of its own, so whatever else is in the platform is left alone; what it kills, the supervisor of
`taskhub up` starts again. Afterwards the account's tasks stay, for whoever wants to look at them.
"""

import asyncio
import random
from pathlib import Path

import httpx
import psycopg
from rich.console import Console
from rich.table import Table

from taskhub_local.errors import LocalError
from taskhub_local.faults.cases import CASES
from taskhub_local.faults.judge_jobs import EFFECT_KIND
from taskhub_local.faults.kinds import CREATE_EFFECTS
from taskhub_local.faults.live import LiveView
from taskhub_local.faults.report import show_one
from taskhub_local.faults.runner import Setting, run_case
from taskhub_local.faults.target import Target
from taskhub_local.platform.runfile import read_run


def chaos(state: Path, name: str | None, *, seed: int | None) -> int:
    """Run one case, or list them; return 0 if every promise was kept.

    Raises NotRunningError without a running platform, and LocalError for a case that cannot run on it.
    """
    console = Console(highlight=False)
    target = Target(lambda: read_run(state))
    view = LiveView(console)
    kinds = _knows_our_kinds(target)
    setting = Setting(target=target, folder=state / "faults", kinds=kinds, say=view.say, watch=view.watch)
    if name is None:
        _list(console, setting)
        return 0
    case = CASES.get(name)
    if case is None:
        raise LocalError(f"there is no case {name!r}; `taskhub chaos` lists them")
    lacking = setting.lacks(case)
    if lacking is not None:
        raise LocalError(f"{name} cannot run here: {lacking}. It runs in: make faults")
    chosen = random.randrange(1_000_000) if seed is None else seed  # noqa: S311 - a seed, not a secret
    console.print(f"{case.breaks}; the load's seed is {chosen}", markup=False)
    if kinds:
        with psycopg.connect(target.database_url) as session:
            session.execute(CREATE_EFFECTS)
    if console.is_terminal:
        with view.live():
            report = asyncio.run(run_case(case, setting, seed=chosen))
    else:
        report = asyncio.run(run_case(case, setting, seed=chosen))
    show_one(console, report)
    return 0 if report.passed else 1


def _knows_our_kinds(target: Target) -> bool:
    account = target.describe().demo
    with httpx.Client(base_url=target.api_url, timeout=10, trust_env=False) as client:
        try:
            login = {"email": account.email, "password": account.password}
            token = client.post("/v1/token", json=login).raise_for_status().json()["access_token"]
            kinds = client.get("/v1/job-kinds", headers={"Authorization": f"Bearer {token}"}).raise_for_status().json()
        except httpx.HTTPError as error:
            raise LocalError(f"the running platform does not answer: {error}") from error
    return any(kind["kind"] == EFFECT_KIND for kind in kinds["items"])


def _list(console: Console, setting: Setting) -> None:
    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0))
    for title in ("case", "what it does", "budget"):
        table.add_column(title)
    for case in CASES.values():
        lacking = setting.lacks(case)
        budget = f"{case.budget_seconds:g} s from {case.counted_from}" if lacking is None else f"not here: {lacking}"
        table.add_row(case.name, case.breaks, budget, style=None if lacking is None else "dim")
    console.print(table)
    console.print("\nRun one: taskhub chaos CASE")
