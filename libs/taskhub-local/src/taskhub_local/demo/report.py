"""What the demo shows: each step as it happens, and a closing table."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from taskhub_local.demo.client import Api


@dataclass
class Step:
    """One thing that was done, and what came of it."""

    title: str
    result: str = ""
    seconds: float = 0.0


class Report:
    """Writes to the terminal; without one, plain lines."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.steps: list[Step] = []

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        """Time a step; whoever does it sets the result. A step that fails has no result, and the error goes on."""
        step = Step(title)
        began = time.monotonic()
        yield step
        step.seconds = time.monotonic() - began
        self.steps.append(step)
        self.console.print(f"[green]✓[/] {title}: {step.result} [dim]({step.seconds:.1f} s)[/]", highlight=False)

    def follow(self, api: Api, job_id: str, title: str) -> None:
        """Show a job's progress until it ends."""
        if not self.console.is_terminal:
            for _ in api.follow(job_id):
                pass
            return
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=self.console, transient=True) as bars:
            bar = bars.add_task(title, total=None)
            for progress in api.follow(job_id):
                bars.update(bar, completed=progress.done, total=progress.total)

    def note(self, line: str) -> None:
        """Write a detail of the present step."""
        self.console.print(f"  {line}", style="dim", markup=False, highlight=False)

    def table(self) -> Table:
        """Return the closing table."""
        table = Table(title="What happened", title_justify="left")
        table.add_column("step")
        table.add_column("result")
        table.add_column("seconds", justify="right")
        for step in self.steps:
            table.add_row(step.title, step.result, f"{step.seconds:.1f}")
        return table
