"""docs/failure-modes.md, made from the matrix: what somebody on call reads first."""

from collections.abc import Iterator, Set

from tools.matrix.model import Matrix, Mode, Planned, Recovery, Row, Without, names

_INTRODUCTION = """\
# How TaskHub fails, and comes back

<!-- Made from failure-modes.yaml by `python -m tools.matrix write`; make lint fails if it differs. -->

On call? [The first ten minutes](../observability/runbooks/first-ten-minutes.md), then the section of what is red.
Whatever fails: nothing that was acknowledged is lost, and no job takes effect twice.

| what fails | clients see | by itself | back within | pages |
|---|---|---|---|---|"""

_LEGEND = """
*Back within* is a budget: after so many seconds it is as if nothing had been. `make faults` (one machine) and
`make e2e` (a cluster) break the part under load, measure that, and judge every promise; names with dashes are cases of
the first, names with underscores of the second. An alert leads to its runbook. What is not proven yet says so."""


def render(matrix: Matrix, paging: Set[str]) -> str:
    """The whole page. `paging` are the alerts that wake somebody."""
    return "\n".join(_page(matrix, paging)).rstrip() + "\n"


def _page(matrix: Matrix, paging: Set[str]) -> Iterator[str]:
    rows = {mode.id: [row for row in matrix.rows if row.mode == mode.id] for mode in matrix.modes}
    yield _INTRODUCTION
    for mode in matrix.modes:
        yield _summary(mode, rows[mode.id], paging)
    yield _LEGEND
    for mode in matrix.modes:
        yield from _section(mode, rows[mode.id])
    yield from _first_description(matrix)
    yield ""
    for page in sorted({page for row in matrix.rows for page in [*names(row.alerts), *row.pages]}):
        yield f"[{page}]: ../observability/runbooks/{page}.md"


def _summary(mode: Mode, rows: list[Row], paging: Set[str]) -> str:
    budgets = sorted({row.recovery.seconds for row in rows if isinstance(row.recovery, Recovery)})
    span = f"{budgets[0]}–{budgets[-1]} s" if len(budgets) > 1 else f"{budgets[0]} s" if budgets else "—"
    pages = dict.fromkeys(alert for row in rows for alert in names(row.alerts) if alert in paging)
    return _line(f"[{title(mode)}](#{anchor(mode)})", mode.clients_see, mode.by_itself, span, _links(list(pages)))


def _section(mode: Mode, rows: list[Row]) -> Iterator[str]:
    yield ""
    yield f"## {title(mode)}"
    yield ""
    yield f"Dashboard: [{mode.dashboard}](../observability/dashboards/json/{mode.dashboard}.json)."
    yield ""
    yield "| what happens | clients see | back within | alert | proven by |"
    yield "|---|---|---|---|---|"
    for row in rows:
        what = f"**{row.way.value}** {row.breaks}"
        yield _line(what, row.impact, _recovery(row.recovery), _alert(row), _proof(row))
    yield ""
    yield "<details><summary>Why that is safe, what mends it, where to look</summary>"
    yield ""
    for row in rows:
        yield f"- **{row.breaks}** {row.safe} *Mends it:* {row.mitigation}{_panels(row)}"
    yield ""
    yield "</details>"


def _alert(row: Row) -> str:
    if isinstance(row.alerts, list):
        return _links(row.alerts)
    return f"{_said(row.alerts)} ({_links(row.pages)})"


def _recovery(recovery: Recovery | Planned | Without) -> str:
    if isinstance(recovery, Recovery):
        return f"{recovery.seconds} s from {recovery.counted_from}"
    return _said(recovery)


def _proof(row: Row) -> str:
    cases = [f"`{name}`" for name in [*names(row.faults), *names(row.e2e)]]
    said = [", ".join(cases)] if cases else []
    # Tests of another kind stand for cases, where a cell names them.
    said += [cell.none for cell in (row.faults, row.e2e) if isinstance(cell, Without) and "tests/" in cell.none]
    if not said and isinstance(row.faults, Without):
        said.append(row.faults.none)
    for what, cell in (("fault case", row.faults), ("e2e case", row.e2e)):
        if isinstance(cell, Planned):
            said.append(f"*{what} planned: {cell.planned}*")
    return "; ".join(said)


def _panels(row: Row) -> str:
    return f" *Look at:* {', '.join(row.panels)}." if isinstance(row.panels, list) else ""


def _said(cell: Planned | Without) -> str:
    return f"*planned: {cell.planned}*" if isinstance(cell, Planned) else cell.none


def _links(alerts: list[str]) -> str:
    return ", ".join(f"[{alert}]" for alert in alerts) or "—"


def title(mode: Mode) -> str:
    """Its heading."""
    return f"{mode.number}. {mode.title}" if mode.number is not None else mode.title


def anchor(mode: Mode) -> str:
    """The heading's anchor, as GitHub makes it."""
    kept = [one for one in title(mode).lower() if one.isalnum() or one in " -"]
    return "".join(kept).replace(" ", "-")


def _line(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def _first_description(matrix: Matrix) -> Iterator[str]:
    yield ""
    yield "## The first description, line by line"
    yield ""
    yield "What was promised before anything was built, and the rows of failure-modes.yaml that keep it."
    yield ""
    yield "<details><summary>Every line</summary>"
    yield ""
    yield "| line | said | kept as | rows |"
    yield "|---|---|---|---|"
    for line in matrix.seed:
        rows = [f"`{row.id}`" for row in matrix.rows if line.id in row.seed]
        yield _line(line.id, line.says, line.here or "as said", ", ".join(rows))
    yield ""
    yield "</details>"
