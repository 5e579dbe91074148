"""procrastinate, with its documented set-up: asynchronous no-op tasks in PostgreSQL, several at a time."""

import os

import procrastinate

app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=os.environ["BENCH_DATABASE"]))


@app.task
async def noop() -> None:
    """Does nothing."""
