"""What the broker loses is published again, and nothing else is."""

import time

import redis
from sqlalchemy import Engine, text
from worker_harness import Jobs

from taskhub_core.jobs.broker import make_celery
from taskhub_core.jobs.dispatch import mark_for_dispatch
from taskhub_core.jobs.registry import registry
from taskhub_local.faults.budgets import BUDGETS
from taskhub_local.testing import wait_for
from taskhub_worker.dispatcher.broker import BrokerView
from taskhub_worker.dispatcher.jobs_loop import JobsLoop
from taskhub_worker.dispatcher.lost_loop import LostLoop
from taskhub_worker.dispatcher.publisher import Publisher
from taskhub_worker.dispatcher.settings import DispatcherSettings


def _marked(jobs: Jobs) -> int:
    with jobs.engine.connect() as connection:
        query = text("SELECT count(*) FROM jobs WHERE state = 'queued' AND dispatched_at IS NOT NULL")
        return int(connection.execute(query).scalar_one())


def _jobs_loop(settings: DispatcherSettings, engine: Engine) -> JobsLoop:
    return JobsLoop(settings, engine, registry, Publisher(make_celery(settings, settings), registry))


def test_a_wiped_broker_gets_every_waiting_job_again(
    jobs: Jobs, loop_engine: Engine, settings: DispatcherSettings, clean_redis: str
) -> None:
    lost = LostLoop(settings.model_copy(update={"lost_after_seconds": 1_000}), loop_engine, BrokerView(settings))
    publish = _jobs_loop(settings, loop_engine)
    client = redis.Redis.from_url(clean_redis)
    lost.turn()
    jobs.submit("probe.alone", count=20)
    publish.turn()
    assert (_marked(jobs), client.llen(settings.job_queue_name)) == (20, 20)
    lost.turn()
    assert _marked(jobs) == 20, "marks were taken back although nothing was lost"
    client.flushdb()
    lost.turn()
    assert _marked(jobs) == 0
    publish.turn()
    assert (_marked(jobs), client.llen(settings.job_queue_name)) == (20, 20)
    lost.turn()
    assert _marked(jobs) == 20, "the same wipe was seen twice"


def test_a_wipe_while_no_dispatcher_ran_is_noticed_by_the_next_one(
    jobs: Jobs, loop_engine: Engine, settings: DispatcherSettings, clean_redis: str
) -> None:
    _jobs_loop(settings, loop_engine).turn()
    jobs.submit("probe.alone", count=3)
    _jobs_loop(settings, loop_engine).turn()
    redis.Redis.from_url(clean_redis).flushdb()
    patient = settings.model_copy(update={"lost_after_seconds": 1_000})
    LostLoop(patient, loop_engine, BrokerView(settings)).turn()
    assert _marked(jobs) == 0


def test_single_messages_that_are_missing_are_found(
    jobs: Jobs, loop_engine: Engine, settings: DispatcherSettings, clean_redis: str
) -> None:
    lost = LostLoop(settings, loop_engine, BrokerView(settings))
    lost.turn()
    jobs.submit("probe.alone", count=10)
    _jobs_loop(settings, loop_engine).turn()
    client = redis.Redis.from_url(clean_redis)
    for _ in range(3):
        client.rpop(settings.job_queue_name)
    lost.turn()
    assert _marked(jobs) == 10, "a single look may have met a message on its way"
    lost.turn()
    assert _marked(jobs) == 7


def test_a_long_queue_is_not_taken_for_a_lost_one(
    jobs: Jobs, loop_engine: Engine, settings: DispatcherSettings
) -> None:
    lost = LostLoop(settings.model_copy(update={"republish_after_seconds": 0.001}), loop_engine, BrokerView(settings))
    lost.turn()
    jobs.submit("probe.noop", count=100)
    jobs.submit("probe.alone", count=10)
    _jobs_loop(settings, loop_engine).turn()
    lost.turn()
    lost.turn()
    assert _marked(jobs) == 110


def test_a_message_that_a_dead_worker_took_is_published_again_after_a_while(
    jobs: Jobs, loop_engine: Engine, settings: DispatcherSettings, clean_redis: str
) -> None:
    soon = settings.model_copy(update={"republish_after_seconds": 0.001})
    late = settings.model_copy(update={"republish_after_seconds": 1_000})
    jobs.submit("probe.alone")
    LostLoop(late, loop_engine, BrokerView(settings)).turn()
    _jobs_loop(settings, loop_engine).turn()
    app = make_celery(settings, settings)
    with app.connection_for_read() as connection:
        channel = connection.default_channel
        message = channel.basic_get(settings.job_queue_name)
        assert message is not None
        channel.qos.append(message, message.delivery_tag)  # as a consumer that has not acknowledged it
        LostLoop(late, loop_engine, BrokerView(settings)).turn()
        assert _marked(jobs) == 1
        LostLoop(soon, loop_engine, BrokerView(settings)).turn()
        assert _marked(jobs) == 0
        channel.qos.ack(message.delivery_tag)


def test_what_a_dispatcher_marked_before_it_died_is_published_within_the_budget_of_its_death(
    jobs: Jobs, loop_engine: Engine, settings: DispatcherSettings, clean_redis: str
) -> None:
    usual = settings.model_copy(
        update={"lost_after_seconds": DispatcherSettings.model_fields["lost_after_seconds"].default}
    )
    client = redis.Redis.from_url(clean_redis)
    lost, publish = LostLoop(usual, loop_engine, BrokerView(usual)), _jobs_loop(usual, loop_engine)
    lost.turn()
    jobs.submit("probe.alone")
    with loop_engine.begin() as connection:
        assert mark_for_dispatch(connection, registry, window=10, queues={})
    died_at = time.monotonic()
    for loop in (lost, publish):
        loop.start()
    try:
        wait_for(lambda: client.llen(usual.job_queue_name) == 1)
        assert time.monotonic() - died_at < BUDGETS["dispatchers-in-turn"].seconds
    finally:
        for loop in (lost, publish):
            loop.stop()
            assert loop.join(10)
