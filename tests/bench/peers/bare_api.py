"""POST and GET of tasks and jobs as a bare handler: ASGI without a framework, psycopg without an ORM, no validation.

It shows what is left when everything that a client needs is taken away: the floor, not a rival.
"""

import json
import os
from typing import Any

import orjson
from psycopg_pool import AsyncConnectionPool

from taskhub_core.ids import new_id

ACCOUNT = os.environ["BENCH_ACCOUNT"]
POOL = AsyncConnectionPool(os.environ["TASKHUB_DATABASE_URL"], min_size=4, max_size=10, open=False)

_TASK = """
    WITH task AS (
        INSERT INTO tasks (id, account_id, title, tags, created_at, updated_at)
        VALUES (%(id)s, %(account)s, %(title)s, %(tags)s, now(), now())
        RETURNING id, title, tags, version, created_at
    ), event AS (
        INSERT INTO outbox (id, message) SELECT %(event)s, to_jsonb(task) FROM task
    )
    SELECT to_jsonb(task)::text FROM task
"""
_JOB = """
    INSERT INTO jobs (id, account_id, kind, state, run_at, args, fingerprint, max_attempts)
    VALUES (%(id)s, %(account)s, %(kind)s, 'queued', now(), %(args)s, '', 5)
    RETURNING jsonb_build_object('id', id, 'state', state)::text
"""
_GET = "SELECT (to_jsonb(tasks) - 'search_text')::text FROM tasks WHERE id = %(id)s AND account_id = %(account)s"


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """The whole application."""
    if scope["type"] == "lifespan":
        await receive()
        await POOL.open()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await POOL.close()
        await send({"type": "lifespan.shutdown.complete"})
        return
    status, statement, parameters = await _request(scope, receive)
    async with POOL.connection() as connection:
        cursor = await connection.execute(statement, {**parameters, "account": ACCOUNT})
        row = await cursor.fetchone()
    body = row[0].encode() if row else b"{}"
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _request(scope: dict[str, Any], receive: Any) -> tuple[int, str, dict[str, Any]]:
    if scope["method"] == "GET":
        return 200, _GET, {"id": scope["path"].rpartition("/")[2]}
    chunks = b""
    while True:
        message = await receive()
        chunks += message.get("body", b"")
        if not message.get("more_body"):
            break
    body = orjson.loads(chunks)
    if scope["path"] == "/v1/tasks":
        return 201, _TASK, {"id": new_id(), "event": new_id(), "title": body["title"], "tags": body["tags"]}
    return 202, _JOB, {"id": new_id(), "kind": body["kind"], "args": json.dumps(body["args"])}
