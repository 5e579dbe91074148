"""Submitting jobs whose effects the verdict can count."""

import uuid
from collections.abc import Mapping

import orjson

from taskhub_core.ids import new_id
from taskhub_local.faults.client import Client, HttpCall
from taskhub_local.faults.judge_jobs import IMPORT_KIND
from taskhub_local.faults.ledger import Operation, Request
from taskhub_local.faults.marks import imported_by


async def submit_job(
    client: Client,
    kind: str,
    args: Mapping[str, object],
    *,
    size: int = 0,
    patience_seconds: float,
    job_id: uuid.UUID | None = None,
) -> uuid.UUID:
    """Submit a job under an id of our own, and return the id."""
    job_id = job_id or new_id()
    request = Request(operation=Operation.SUBMIT, key=str(new_id()), job_id=job_id, job_kind=kind, size=size)
    call = HttpCall("POST", "/v1/jobs", json={"kind": kind, "args": args, "job_id": str(job_id)})
    await client.until_settled(request, call, patience_seconds=patience_seconds)
    return job_id


async def submit_import(client: Client, entries: int, *, patience_seconds: float) -> uuid.UUID | None:
    """Upload a file of that many tasks and submit its import. None: the file could not be uploaded."""
    job_id = new_id()
    lines = [
        orjson.dumps({"title": f"imported {number}", "notes": imported_by(job_id, number)}) for number in range(entries)
    ]
    file_id = await _upload(client, b"\n".join(lines))
    if file_id is None:
        return None
    args = {"file_id": file_id, "format": "jsonl"}
    return await submit_job(client, IMPORT_KIND, args, size=entries, patience_seconds=patience_seconds, job_id=job_id)


async def _upload(client: Client, content: bytes) -> str | None:
    request = Request(operation=Operation.UPLOAD, key=str(new_id()))
    call = HttpCall("POST", "/v1/files", content=content, headers={"Content-Type": "application/x-ndjson"})
    done = await client.once(request, call)
    return str(done.body["id"]) if done.body is not None else None
