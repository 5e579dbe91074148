"""What cannot be read has no value, and is said to be away."""

import pytest
from prometheus_client import REGISTRY
from pydantic import AnyUrl
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError
from worker_harness import Jobs

from taskhub_core.database.engine import make_engine
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
    assert abs(_value("taskhub_clock_offset_seconds", against="postgresql") or 99) < 1, "both clocks are this machine's"


def test_what_cannot_be_read_has_no_value(loop_engine: Engine, settings: DispatcherSettings) -> None:
    _loop(settings, loop_engine).turn()
    away = settings.model_copy(
        update={
            "redis_url": AnyUrl(f"redis://127.0.0.1:{any_free()}/0"),
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


def test_without_postgresql_nothing_that_is_in_it_has_a_value(
    loop_engine: Engine, settings: DispatcherSettings
) -> None:
    _loop(settings, loop_engine).turn()
    away = make_engine(
        settings.model_copy(update={"database_url": f"postgresql://nobody@127.0.0.1:{any_free()}/none"}),
        application_name="taskhub-tests",
    )
    loop = _loop(settings, away)
    with pytest.raises(OperationalError):
        loop.turn()
    loop.close()
    queue, place = settings.job_queue_name, "postgresql"
    assert _value("taskhub_dependency_up", dependency="postgresql") == 0
    assert _value("taskhub_jobs_waiting", place=place) is None
    assert _value("taskhub_jobs_oldest_age_seconds", queue=queue) is None
    assert _value("taskhub_jobs", state="dead") is None
    assert _value("taskhub_outbox_oldest_age_seconds", queue=settings.sqs_queue_name) is None
    assert _value("taskhub_clock_offset_seconds", against="postgresql") is None
    assert _value("taskhub_broker_messages", queue=queue) is not None, "a part that answers lost its value, too"
    metrics.DEPENDENCY_UP.clear()
