"""Each trap of Celery on Redis, held shut by a setting."""

import signal
import time

import pytest
from kombu.transport.redis import Channel
from pydantic import ValidationError

from taskhub_core.jobs.broker import LimitTooLong, broker_url, check_limits, make_celery, transport_options
from taskhub_core.jobs.context import JobContext
from taskhub_core.jobs.registry import NoArgs, Registry
from taskhub_core.jobs.settings import JobSettings
from taskhub_core.settings import BrokerSettings
from taskhub_local.parts.redis import RedisPart

BROKER = BrokerSettings(redis_url="redis://127.0.0.1:1/0")
JOBS = JobSettings()


def test_every_transport_option_is_one_that_kombu_knows() -> None:
    known = {*Channel.from_transport_options, "max_retries"}
    assert set(transport_options(BROKER, JOBS)) <= known


def test_a_message_stays_invisible_longer_than_the_longest_job() -> None:
    check_limits(Registry().load(), JOBS)
    too_long = Registry()

    @too_long.kind("endless", args=NoArgs, soft_limit_seconds=JOBS.broker_visibility_timeout_seconds)
    def endless(_context: JobContext, _args: NoArgs) -> None:
        """Never runs."""

    with pytest.raises(LimitTooLong, match="endless may run 43215 s"):
        check_limits(too_long, JOBS)
    assert transport_options(BROKER, JOBS)["visibility_timeout"] == JOBS.broker_visibility_timeout_seconds


def test_unacknowledged_messages_are_looked_for_every_second() -> None:
    options = transport_options(BROKER, JOBS)
    assert (options["unacked_restore_interval"], options["unacked_restore_throttle"]) == (1, 1)


def test_sockets_have_time_limits_and_keepalives() -> None:
    options = transport_options(BROKER, JOBS)
    assert 0 < options["socket_timeout"] <= 5
    assert 0 < options["socket_connect_timeout"] <= 5
    assert options["socket_keepalive"]
    assert len(options["socket_keepalive_options"]) == 3
    assert 0 < options["health_check_interval"] <= 10


def test_a_frozen_redis_fails_a_publish_within_seconds(own_redis: RedisPart) -> None:
    settings = BrokerSettings(redis_url=own_redis.url, redis_socket_timeout_seconds=0.5)
    app = make_celery(settings, JOBS)
    with app.connection_for_write() as connection:
        producer = app.amqp.Producer(connection.default_channel)
        app.send_task("taskhub.run", args=[[]], producer=producer)
        own_redis.kill(signal.SIGSTOP)
        try:
            started = time.monotonic()
            with pytest.raises(Exception, match=r"(?i)time"):
                app.send_task("taskhub.run", args=[[]], producer=producer)
            assert time.monotonic() - started < 5
        finally:
            own_redis.kill(signal.SIGCONT)


def test_an_absent_redis_fails_a_connection_at_once_instead_of_retrying_for_ever() -> None:
    app = make_celery(BROKER, JOBS)
    started = time.monotonic()
    with app.connection_for_write() as connection, pytest.raises(Exception, match=r"(?i)refused"):
        _ = connection.default_channel
    assert time.monotonic() - started < 5


def test_messages_are_acknowledged_late_and_return_when_their_process_dies() -> None:
    conf = make_celery(BROKER, JOBS).conf
    assert conf.task_acks_late
    assert conf.task_reject_on_worker_lost
    assert conf.worker_prefetch_multiplier == 1
    assert conf.worker_disable_prefetch


def test_the_broker_keeps_no_results_and_takes_only_json() -> None:
    app = make_celery(BROKER, JOBS)
    assert type(app.backend).__name__ == "DisabledBackend"
    assert app.conf.task_ignore_result
    assert app.conf.accept_content == ["json"]
    assert app.conf.task_serializer == "json"


def test_the_worker_reconnects_for_ever_and_keeps_its_jobs_meanwhile() -> None:
    conf = make_celery(BROKER, JOBS).conf
    assert conf.broker_connection_retry
    assert conf.broker_connection_retry_on_startup
    assert conf.broker_connection_max_retries is None
    assert conf.broker_channel_error_retry
    assert not conf.worker_cancel_long_running_tasks_on_connection_loss


def test_publishing_is_never_repeated_behind_the_dispatchers_back() -> None:
    conf = make_celery(BROKER, JOBS).conf
    assert not conf.task_publish_retry
    assert transport_options(BROKER, JOBS)["max_retries"] == 0


def test_a_unix_socket_becomes_kombus_kind_of_url() -> None:
    settings = BrokerSettings(redis_url="unix:///run/redis.sock?db=3")
    assert broker_url(settings) == "redis+socket:///run/redis.sock?virtual_host=3"


@pytest.mark.parametrize(
    "values",
    [
        {"lease_seconds": 5, "lease_renew_seconds": 3, "lease_margin_seconds": 2},
        {"shutdown_grace_seconds": 25, "soft_shutdown_seconds": 25},
        {"soft_shutdown_seconds": 50_000, "broker_visibility_timeout_seconds": 50_000},
    ],
)
def test_times_that_do_not_fit_together_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(ValidationError, match="must"):
        JobSettings(**values)
