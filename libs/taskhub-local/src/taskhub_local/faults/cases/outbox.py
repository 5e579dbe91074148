"""Half an hour of events waits in the outbox: it is sent without new work having to wait behind it."""

import asyncio
import time
import uuid
from itertools import batched

import psycopg
from sqlalchemy import Connection, create_engine

from taskhub_core.ids import new_id
from taskhub_core.tasks.formats import TaskDraft
from taskhub_core.tasks.service import NewTask, create
from taskhub_local.faults.case import Checked, Evidence, Felt
from taskhub_local.faults.cases.making import case
from taskhub_local.faults.checks import writes_unharmed
from taskhub_local.faults.ledger import Answer, Ledger, Operation, Outcome, Request
from taskhub_local.faults.marks import created_by
from taskhub_local.faults.stage import Stage
from taskhub_local.parts.app import App

_DISPATCHER = App.DISPATCHER.value
_BACKLOG_MINUTES = 30
_EVENTS_A_SECOND = 5
_BACKLOG = _BACKLOG_MINUTES * 60 * _EVENTS_A_SECOND
_BATCH = 500
_LONGEST_SECONDS = 300.0
_FIRST_SECONDS = 3.0
"""What waited while the dispatcher stood still may take this long."""
_PROMPT_SHARE = 0.95

# Spread evenly over the last half hour, in any order.
_BACKDATE = """
    UPDATE outbox SET created_at = now() - make_interval(mins => %s) * (spread.place / %s::float8)
    FROM (SELECT id, row_number() OVER () AS place FROM outbox
          WHERE message ->> 'account_id' = %s AND message ->> 'summary' LIKE '%%backlog%%') AS spread
    WHERE outbox.id = spread.id
"""
_LEFT = "SELECT count(*) FROM outbox WHERE message ->> 'account_id' = %s AND message ->> 'summary' LIKE '%%backlog%%'"


def _fill(url: str, account_id: uuid.UUID, ledger: Ledger) -> None:
    """Create the tasks as the API does, with their events, and enter them into the ledger as acknowledged."""
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    keys = [str(new_id()) for _ in range(_BACKLOG)]
    for some in batched(keys, _BATCH):
        with engine.begin() as connection:
            _create(connection, account_id, list(some), ledger)
    engine.dispose()
    with psycopg.connect(url) as session:
        session.execute(_BACKDATE, [_BACKLOG_MINUTES, _BACKLOG, str(account_id)])


def _create(connection: Connection, account_id: uuid.UUID, keys: list[str], ledger: Ledger) -> None:
    titles = [f"backlog {key[-12:]}" for key in keys]
    requests = [
        Request(operation=Operation.CREATE, key=key, marker=title) for key, title in zip(keys, titles, strict=True)
    ]
    numbers = [ledger.sent(request) for request in requests]
    drafts = [TaskDraft(title=title, notes=created_by(key)) for key, title in zip(keys, titles, strict=True)]
    created = create(connection, account_id, [NewTask(draft) for draft in drafts])
    for number, task in zip(numbers, created, strict=True):
        answer = Answer(
            status=201, outcome=Outcome.ACKNOWLEDGED, seconds=0, task_id=task.id, version=task.version, detail="direct"
        )
        ledger.answered(number, answer)


async def backlog(stage: Stage) -> float:
    """Stop the dispatcher, fill the outbox with backdated events, and let the dispatcher go on under load."""
    frozen = stage.target.freeze(_DISPATCHER)
    try:
        stage.breaks(f"put {_BACKLOG:,} events of the last {_BACKLOG_MINUTES} minutes into the outbox")
        await asyncio.to_thread(_fill, stage.target.database_url, stage.eyes.account_id, stage.client.ledger)
    finally:
        frozen.thaw()
    since = stage.heals("the dispatcher goes on")

    def drained() -> bool:
        with stage.eyes.session() as session:
            return session.execute(_LEFT, [str(stage.eyes.account_id)]).fetchone() == (0,)

    await stage.until(drained, seconds=_LONGEST_SECONDS, what="the backlog is sent")
    stage.recovered("the backlog is sent")
    stage.notes.append(f"{_BACKLOG:,} events sent at {_BACKLOG / (time.time() - since):,.0f} a second")
    return since


def jobs_not_starved(evidence: Evidence) -> Checked:
    """Short jobs went through as promptly as before while the backlog was sent."""
    jobs = [job for job in evidence.jobs if evidence.since + _FIRST_SECONDS < job.began < evidence.ended_at]
    if not jobs:
        return Checked("no job was submitted while the backlog was sent")
    prompt = sum(1 for job in jobs if job.ok)
    note = f"{prompt} of {len(jobs)} jobs were prompt meanwhile"
    return Checked(note if prompt < _PROMPT_SHARE * len(jobs) else "", note)


CASES = (
    case(
        "outbox-backlog",
        f"{_BACKLOG:,} events, {_BACKLOG_MINUTES} minutes' worth, in the outbox",
        backlog,
        felt=Felt.MARKED,
        checks=(writes_unharmed, jobs_not_starved),
        by_chance=False,
        settle_seconds=240.0,
    ),
)
