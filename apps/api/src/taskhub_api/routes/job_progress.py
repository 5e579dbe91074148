"""/v1/jobs/{job_id}/progress: a job's progress as server-sent events, until it ends."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent

from taskhub_api.answers import to_json
from taskhub_api.dependencies import CurrentCaller, Db
from taskhub_api.job_watch import JobWatch, Watcher
from taskhub_api.routes.documented import problems
from taskhub_core.jobs import service
from taskhub_core.jobs.watch import Snapshot

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])

RECONNECT_MS = 2_000
_LOOK_SECONDS = 0.5
"""How soon a stream notices that the server shuts down."""

_EXAMPLE = """\
retry: 2000

event: progress
data: {"state":"running","attempts":1,"progress":{"done":400,"total":1200,"message":null},"cancel_requested":false}

: ping

event: end
data: {"state":"succeeded","attempts":1,"progress":{"done":1200,"total":1200,"message":null},"result":{},"error":null}

"""


async def _own_job_watched(
    job_id: uuid.UUID, caller: CurrentCaller, database: Db, request: Request
) -> AsyncIterator[Watcher]:
    """A watcher that knows the job already. What can fail does so here, while a status can still be answered."""
    watch: JobWatch = request.app.state.job_watch
    job = await database.read(lambda connection: service.get(connection, job_id, account_id=caller.account_id))
    async with watch.watching(job_id) as watcher:
        watcher.found(Snapshot.of(job))
        yield watcher


@router.get(
    "/{job_id}/progress",
    response_class=EventSourceResponse,
    responses={
        200: {"description": "The stream.", "content": {"text/event-stream": {"example": _EXAMPLE}}},
        **problems(401, 404),
    },
    summary="Follow a job's progress",
)
async def job_progress(
    request: Request, watcher: Annotated[Watcher, Depends(_own_job_watched)]
) -> AsyncIterator[ServerSentEvent]:
    """Server-sent events: `progress` at once and at every change, `end` when the job has ended; then the stream closes.

    Close the connection at `end`: an EventSource would open it again. A stream also ends, without `end`, when the
    server shuts down and when an access token would have expired; connect again then (`retry` says after how long).
    Comments keep it open while nothing happens, and say so while PostgreSQL is away. There is nothing to replay: each
    event tells the whole progress, so Last-Event-ID is not needed.
    """
    state = request.app.state
    ends_at = asyncio.get_running_loop().time() + state.settings.access_token_seconds
    told: Snapshot | None = None
    told_away = False
    yield ServerSentEvent(retry=RECONNECT_MS)
    while True:
        if watcher.away and not told_away:
            yield ServerSentEvent(comment="PostgreSQL does not answer; the stream goes on when it is back")
        told_away = watcher.away
        snapshot = watcher.snapshot
        if snapshot is not None and snapshot != told:
            told = snapshot
            yield _event("progress", cancel_requested=snapshot.cancel_requested, snapshot=snapshot)
        if snapshot is not None and snapshot.ended:
            yield _event("end", result=snapshot.result, error=snapshot.error, snapshot=snapshot)
            return
        reason = _reason_to_close(watcher, draining=state.draining, expired=asyncio.get_running_loop().time() > ends_at)
        if reason is not None:
            yield ServerSentEvent(comment=reason)
            return
        await watcher.wait(seconds=_LOOK_SECONDS)


def _event(name: str, *, snapshot: Snapshot, **more: Any) -> ServerSentEvent:
    data = {"state": snapshot.state.value, "attempts": snapshot.tries, "progress": snapshot.progress, **more}
    return ServerSentEvent(event=name, raw_data=to_json(data).decode())


def _reason_to_close(watcher: Watcher, *, draining: bool, expired: bool) -> str | None:
    if watcher.gone:
        return "the job no longer exists"
    if draining:
        return "this server shuts down; connect again"
    return "connect again with a fresh access token" if expired else None
