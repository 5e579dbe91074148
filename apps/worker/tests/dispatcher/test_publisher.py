"""How jobs become messages."""

import time

import pytest
from pydantic import AnyUrl

from taskhub_core.ids import new_id
from taskhub_core.jobs.broker import make_celery
from taskhub_core.jobs.dispatch import Dispatched
from taskhub_core.jobs.registry import registry
from taskhub_local.ports import any_free
from taskhub_worker.dispatcher.broker import BrokerView
from taskhub_worker.dispatcher.publisher import BrokerAway, Publisher, messages
from taskhub_worker.dispatcher.settings import DispatcherSettings


def _jobs(kind: str, count: int, *, attempt: int = 0, priority: int = 5) -> list[Dispatched]:
    return [Dispatched(new_id(), kind, attempt, priority) for _ in range(count)]


def _ids(jobs: list[Dispatched]) -> list[str]:
    return [str(job.job_id) for job in jobs]


def test_first_attempts_of_a_batched_kind_share_messages_up_to_its_size() -> None:
    jobs = _jobs("probe.noop", 300)
    sent = list(messages(jobs, registry))
    assert max(map(len, sent)) == 64
    assert [one for ids in sent for one in ids] == _ids(jobs)


def test_a_small_backlog_is_spread_over_workers() -> None:
    assert [len(ids) for ids in messages(_jobs("probe.noop", 8), registry)] == [2, 2, 2, 2]
    assert [len(ids) for ids in messages(_jobs("probe.noop", 1), registry)] == [1]


def test_a_job_that_was_tried_before_travels_alone() -> None:
    fresh, tried = _jobs("probe.noop", 8), _jobs("probe.noop", 3, attempt=1)
    sent = list(messages([*fresh, *tried], registry))
    assert [ids for ids in sent if set(ids) & set(_ids(tried))] == [[one] for one in _ids(tried)]


def test_jobs_of_a_kind_that_is_usually_short_share_messages() -> None:
    jobs = _jobs("probe.alone", 100)
    sent = list(messages(jobs, registry, {"probe.alone": 16}))
    assert max(map(len, sent)) == 16
    assert [one for ids in sent for one in ids] == _ids(jobs)
    assert [len(ids) for ids in messages(jobs, registry)] == [1] * 100


def test_kinds_and_priorities_do_not_mix_and_keep_their_order() -> None:
    high, low = _jobs("probe.noop", 4, priority=9), _jobs("probe.noop", 4, priority=1)
    alone = _jobs("probe.alone", 1, priority=5)
    sent = list(messages([*high, *alone, *low], registry))
    assert [one for ids in sent for one in ids] == _ids([*high, *alone, *low])
    assert [str(alone[0].job_id)] in sent


def test_a_kind_that_is_unknown_here_is_still_published() -> None:
    assert [len(ids) for ids in messages(_jobs("of.a.newer.release", 2), registry)] == [1, 1]


def test_a_kind_with_a_queue_of_its_own_goes_there_and_nothing_of_it_counts_as_lost(
    settings: DispatcherSettings,
) -> None:
    routed = settings.model_copy(update={"job_queues": {"probe.alone": "slow-jobs"}})
    publisher = Publisher(make_celery(routed, routed, routed.job_queue_names), registry, routed.job_queues)
    slow, fast = _jobs("probe.alone", 2), _jobs("probe.noop", 1)
    publisher.check()
    publisher.publish([*slow, *fast])
    publisher.close()
    view = BrokerView(routed, routed.job_queue_names)
    assert view.depths() == {"taskhub-jobs": 1, "slow-jobs": 2}
    contents = view.contents()
    view.close()
    assert contents is not None
    assert contents.queued == {*_ids(slow), *_ids(fast)}


def test_an_absent_broker_is_told_at_once(settings: DispatcherSettings) -> None:
    away = settings.model_copy(update={"redis_url": AnyUrl(f"redis://127.0.0.1:{any_free()}/0")})
    publisher = Publisher(make_celery(away, away), registry)
    started = time.monotonic()
    with pytest.raises(BrokerAway):
        publisher.check()
    assert time.monotonic() - started < 5
