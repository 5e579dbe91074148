"""What cannot be read has no value, and is said to be away."""

import pytest
from prometheus_client import REGISTRY
from sqlalchemy import Engine
from worker_harness import Jobs

from taskhub_core.telemetry import metrics
from taskhub_local.ports import any_free
from taskhub_worker.dispatcher.broker import BrokerView
from taskhub_worker.dispatcher.gauges_loop import GaugesLoop
from taskhub_worker.dispatcher.loop import DependencyAway
from taskhub_worker.dispatcher.settings import DispatcherSettings
from taskhub_worker.dispatcher.sqs import EventQueue


def _value(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(name, labels)


def _loop(settings: DispatcherSettings, engine: Engine) -> GaugesLoop:
    return GaugesLoop(settings, engine, BrokerView(settings), [EventQueue(settings, settings.sqs_queue_name)])


def test_queues_are_measured(jobs: Jobs, loop_engine: Engine, settings: DispatcherSettings) -> None:
    jobs.submit("probe.noop", count=7)
    loop = _loop(settings, loop_engine)
    loop.turn()
    loop.close()
    assert _value("taskhub_jobs_waiting", place="postgresql") == 7
    assert _value("taskhub_jobs_waiting", place="broker") == 0
    assert (_value("taskhub_jobs_oldest_age_seconds", queue=settings.job_queue_name) or -1) >= 0
    assert _value("taskhub_broker_messages", queue=settings.job_queue_name) == 0
    assert _value("taskhub_outbox_depth", queue=settings.sqs_queue_name) == 0
    assert _value("taskhub_sqs_messages", queue=settings.sqs_queue_name, visibility="visible") == 0
    assert _value("taskhub_sqs_up", queue=settings.sqs_queue_name) == 1


def test_what_cannot_be_read_has_no_value(loop_engine: Engine, settings: DispatcherSettings) -> None:
    _loop(settings, loop_engine).turn()
    away = settings.model_copy(
        update={
            "redis_url": f"redis://127.0.0.1:{any_free()}/0",
            "sqs_endpoint_url": f"http://127.0.0.1:{any_free()}",
        }
    )
    loop = _loop(away, loop_engine)
    with pytest.raises(DependencyAway):
        loop.turn()
    assert _value("taskhub_broker_messages", queue=settings.job_queue_name) is None
    assert _value("taskhub_sqs_messages", queue=settings.sqs_queue_name, visibility="visible") is None
    assert _value("taskhub_sqs_up", queue=settings.sqs_queue_name) == 0
    assert _value("taskhub_dependency_up", dependency="redis") == 0
    assert _value("taskhub_dependency_up", dependency="sqs") == 0
    assert _value("taskhub_dependency_up", dependency="postgresql") == 1
    assert _value("taskhub_jobs_waiting", place="postgresql") is not None, "a part that answers lost its value, too"
    metrics.DEPENDENCY_UP.clear()
