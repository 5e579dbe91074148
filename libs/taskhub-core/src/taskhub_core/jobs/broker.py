"""The Celery app of both processes: the dispatcher publishes with it, the worker consumes with it.

The broker carries job ids and nothing else (docs/adr/0002). Every option below that is not a default guards against a
trap; tests/jobs/test_broker.py holds each of them in place.
"""

import socket
import ssl
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qs, urlsplit

from celery import Celery
from kombu import Exchange, Queue

from taskhub_core.errors import TaskHubError
from taskhub_core.jobs.registry import Registry
from taskhub_core.jobs.settings import JobSettings
from taskhub_core.redis_tls import tls_options
from taskhub_core.settings import BrokerSettings

TASK_NAME = "taskhub.run"
"""The one Celery task. Its argument: a list of job ids, as strings."""

_KEEPALIVE = {socket.TCP_KEEPIDLE: 5, socket.TCP_KEEPINTVL: 2, socket.TCP_KEEPCNT: 3}


class LimitTooLong(TaskHubError):
    """A kind may run longer than the broker keeps a message for its worker."""


def broker_url(settings: BrokerSettings) -> str:
    """The URL that kombu wants: redis-py's unix:// is its redis+socket://."""
    url = str(settings.redis_url)
    if not url.startswith("unix:"):
        return url
    parts = urlsplit(url)
    database = parse_qs(parts.query).get("db", ["0"])[0]
    return f"redis+socket://{parts.path}?virtual_host={database}"


def transport_options(broker: BrokerSettings, jobs: JobSettings) -> dict[str, Any]:
    """kombu's options for Redis."""
    return {
        # A message is given to another worker after this long: more than the longest job may run (see check_limits).
        "visibility_timeout": jobs.broker_visibility_timeout_seconds,
        # kombu looks for such messages every interval x throttle seconds: 100 by default.
        "unacked_restore_interval": 1,
        "unacked_restore_throttle": 1,
        # All four default to "wait for ever" in kombu: a frozen Redis would hang a publish until TCP gave up.
        "socket_timeout": broker.redis_socket_timeout_seconds,
        "socket_connect_timeout": broker.redis_connect_timeout_seconds,
        "socket_keepalive": True,
        "socket_keepalive_options": _KEEPALIVE,
        # An overdue BRPOP is given up after this time, so a consumer leaves a half-open connection.
        "health_check_interval": broker.redis_health_check_seconds,
        # A first failure is told to the caller, who has its own pauses; kombu would retry for ever inside one call.
        "max_retries": 0,
    }


def _tls(broker: BrokerSettings) -> dict[str, Any] | None:
    if broker.redis_url.scheme != "rediss":
        return None
    return {"ssl_cert_reqs": ssl.CERT_REQUIRED, **tls_options(broker.redis_url, broker)}


def make_celery(broker: BrokerSettings, jobs: JobSettings, queues: Sequence[str] = ()) -> Celery:
    """A Celery app that is set up for job ids over Redis. `queues`: those that it knows beside its own."""
    app = Celery("taskhub", set_as_current=False, broker=broker_url(broker))
    names = dict.fromkeys([broker.job_queue_name, *queues])
    app.conf.update(
        broker_transport_options=transport_options(broker, jobs),
        broker_use_ssl=_tls(broker),
        broker_connection_timeout=broker.redis_connect_timeout_seconds,
        broker_connection_retry=True,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,  # for ever
        # A Redis that answers and refuses (it is full, or has become a replica) counts as one that is away: by default
        # the worker ends, and so does each one that is started in its place.
        broker_channel_error_retry=True,
        # A publish that fails is the dispatcher's to repeat: it unmarks the jobs and comes back.
        task_publish_retry=False,
        task_queues=[Queue(name, Exchange(name, type="direct"), name) for name in names],
        task_default_queue=broker.job_queue_name,
        task_create_missing_queues=False,
        # Results and errors live in the jobs table.
        result_backend=None,
        task_ignore_result=True,
        task_store_errors_even_if_ignored=False,
        # A message is acknowledged once its jobs are committed, and goes back to the queue when its process dies.
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        # A message waits in Redis, where any worker can take it, never in a busy worker.
        worker_prefetch_multiplier=1,
        worker_disable_prefetch=True,
        # Losing the broker does not touch running jobs: leases keep them, and a second delivery is refused.
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_enable_prefetch_count_reduction=False,
        worker_lost_wait=1.0,
        worker_proc_alive_timeout=30.0,
        worker_soft_shutdown_timeout=jobs.soft_shutdown_seconds,
        # JSON only: a message can never be code.
        task_serializer="json",
        accept_content=["json"],
        # Nothing that talks to other workers, and no logging of Celery's own making.
        worker_enable_remote_control=False,
        worker_send_task_events=False,
        task_send_sent_event=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        enable_utc=True,
    )
    return app


def check_limits(registry: Registry, jobs: JobSettings) -> None:
    """Raises LimitTooLong when a kind may outlive its message's invisibility."""
    for kind in registry.all():
        if kind.hard_limit_seconds >= jobs.broker_visibility_timeout_seconds:
            raise LimitTooLong(
                f"The job kind {kind.name} may run {kind.hard_limit_seconds:g} s, but the broker hands its message out "
                f"again after {jobs.broker_visibility_timeout_seconds} s. Lower the kind's limit, or raise "
                "TASKHUB_BROKER_VISIBILITY_TIMEOUT_SECONDS."
            )
