"""The `reconcile` command: once, for people and cron jobs, or again and again beside the consumer."""

import threading
from typing import TextIO

import structlog
from elasticsearch import ApiError, TransportError
from sqlalchemy.exc import SQLAlchemyError

from taskhub_core.database.engine import make_engine
from taskhub_core.errors import TaskHubError
from taskhub_core.search.client import make_client
from taskhub_core.search.purge import purge_tombstones
from taskhub_core.search.reconcile import Reconciliation, reconcile
from taskhub_core.telemetry.health import HealthServer, ProgressStamp
from taskhub_sqs_consumer.settings import ConsumerSettings

_log = structlog.get_logger(__name__)

_TIMEOUT_SECONDS = 60.0
_MAX_ROUND_SECONDS = 1_800.0
_FAILURES = (TaskHubError, ApiError, TransportError, SQLAlchemyError)


class _Stopped(Exception):
    """The command was told to stop."""


def reconcile_once(settings: ConsumerSettings, *, repair: bool, out: TextIO) -> int:
    """Reconciles and prints what it found. Returns the exit code: 0 if index and PostgreSQL now agree, else 1."""
    try:
        result = _reconcile(settings, repair=repair, delivery_seconds=0, stopping=threading.Event())
    except _FAILURES as error:
        out.write(f"Not reconciled: {error}\n")
        return 1
    out.write(_summary(result))
    return 0 if result.drift == result.repaired else 1


def reconcile_until_stopped(
    settings: ConsumerSettings, *, repair: bool, every_seconds: float, stopping: threading.Event
) -> None:
    """Reconciles at the given interval until told to stop. A failed round is logged; the next one comes."""
    stamp = ProgressStamp("reconcile", max_age_seconds=every_seconds + _MAX_ROUND_SECONDS)
    health = HealthServer(settings.metrics_host, settings.metrics_port, live=stamp.check)
    health.start()
    delivery_seconds = settings.reconcile_delivery_seconds
    while not stopping.is_set():
        stamp.touch()
        try:
            _reconcile(settings, repair=repair, delivery_seconds=delivery_seconds, stopping=stopping)
        except _Stopped:
            break
        except _FAILURES as error:
            _log.warning("not reconciled", error=str(error))
        stopping.wait(every_seconds)
    health.stop()


def _reconcile(
    settings: ConsumerSettings, *, repair: bool, delivery_seconds: float, stopping: threading.Event
) -> Reconciliation:
    def check() -> None:
        if stopping.is_set():
            raise _Stopped

    engine = make_engine(settings, application_name="taskhub-reconcile")
    client = make_client(settings, timeout_seconds=_TIMEOUT_SECONDS)
    try:
        result = reconcile(
            engine,
            client,
            settings.search_alias,
            repair=repair,
            grace_seconds=settings.reconcile_grace_seconds,
            delivery_seconds=delivery_seconds,
            check=check,
        )
        if repair:
            purge_tombstones(client, settings.search_alias)
        return result
    finally:
        client.close()
        engine.dispose()


def _summary(result: Reconciliation) -> str:
    lines = [
        f"{result.index_name}: {result.documents_found} documents, {result.documents_expected} tasks in PostgreSQL,"
        f" {result.ranges_different} of 256 ranges different at first look.",
        f"missing {result.missing}, stale {result.stale}, superfluous {result.superfluous};"
        f" repaired {result.repaired}.",
    ]
    if result.ahead:
        lines.append(f"{result.ahead} documents are newer than PostgreSQL: only a full reindex mends those.")
    return "\n".join(lines) + "\n"
