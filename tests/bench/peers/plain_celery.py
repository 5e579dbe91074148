"""Plain Celery, with its defaults: a no-op task, and one that commits one row."""

import os
from typing import Any

import psycopg
from celery import Celery, signals

app = Celery("plain", broker=os.environ["BENCH_REDIS"])
app.conf.update(task_ignore_result=True, broker_connection_retry_on_startup=True)

_connections: list[psycopg.Connection[Any]] = []


@signals.worker_process_init.connect
def connect(**_: Any) -> None:
    """One connection a process."""
    _connections.append(psycopg.connect(os.environ["BENCH_DATABASE"], autocommit=True))


@app.task
def noop() -> None:
    """Does nothing."""


@app.task
def commit_row(job_id: str) -> None:
    """Commits the least effect there is."""
    _connections[0].execute("INSERT INTO bench_effects (id) VALUES (%s) ON CONFLICT DO NOTHING", (job_id,))
