"""The real process: killed, stopped, asked."""

import io
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from elasticsearch import Elasticsearch

from taskhub_core.events.queue import EventQueue
from taskhub_local.testing import wait_for
from taskhub_sqs_consumer.reconciler import reconcile_once
from taskhub_sqs_consumer.settings import ConsumerSettings

from .conftest import World, changed_settings, delete_index, documents, wait_drained

type Start = Callable[..., subprocess.Popen[bytes]]


def _environment(settings: ConsumerSettings, changed: Mapping[str, Any]) -> dict[str, str]:
    given = {name: getattr(settings, name) for name in settings.model_fields_set} | changed
    return {**os.environ, **{f"TASKHUB_{name.upper()}": str(value) for name, value in given.items()}}


@pytest.fixture
def start(settings: ConsumerSettings) -> Iterator[Start]:
    processes: list[subprocess.Popen[bytes]] = []

    def launch(*arguments: str, **changed: Any) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "taskhub_sqs_consumer", *arguments]
        process = subprocess.Popen(command, env=_environment(settings, changed), stdout=subprocess.PIPE)
        processes.append(process)
        return process

    yield launch
    for process in processes:
        if process.poll() is None:
            process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def test_a_kill_in_the_middle_of_a_batch_loses_nothing(
    world: World, queue: EventQueue, index: Elasticsearch, settings: ConsumerSettings, start: Start
) -> None:
    tasks = world.create(*(f"Task {n}" for n in range(400)))
    events = world.publish()
    victim = start("run", log_level="warning", consumer_visibility_seconds=3)
    wait_for(lambda: len(world.feed()) >= 30, deadline_seconds=30, message="the first consumer did nothing")
    victim.send_signal(signal.SIGKILL)
    victim.wait()
    done = len(world.feed())
    assert done < 400, "killed too late to prove anything"
    start("run", log_level="warning")
    wait_drained(queue, deadline_seconds=45)
    assert {str(row.event_id) for row in world.feed()} == {event.id for event in events}
    assert documents(index, settings.search_alias).keys() == {str(task.id) for task in tasks}


def test_sigterm_ends_it_within_seconds_and_leaves_nothing_hidden(
    world: World, queue: EventQueue, start: Start
) -> None:
    world.create(*(f"Task {n}" for n in range(400)))
    world.publish()
    process = start("run", log_level="warning", consumer_visibility_seconds=600)
    wait_for(lambda: len(world.feed()) >= 30, deadline_seconds=30, message="the consumer did nothing")
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30) == 0
    counts = queue.counts()
    assert counts.in_flight == 0, "messages stay hidden although nobody works on them"
    assert counts.visible == 400 - len(world.feed())


def test_the_reconcile_command_repairs_and_its_exit_code_says_whether_all_is_well(
    world: World, index: Elasticsearch, settings: ConsumerSettings, start: Start
) -> None:
    settings = changed_settings(settings, reconcile_grace_seconds=0.1)
    out = io.StringIO()
    world.create("Its event was lost")

    assert reconcile_once(settings, repair=False, out=out) == 1
    assert "missing 1, stale 0, superfluous 0; repaired 0." in out.getvalue()
    process = start("reconcile", reconcile_grace_seconds=0.1, log_level="warning")
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert b"missing 1, stale 0, superfluous 0; repaired 1." in output
    assert len(documents(index, settings.search_alias)) == 1

    delete_index(index, settings.search_alias)
    assert reconcile_once(settings, repair=True, out=out) == 1
    assert "Not reconciled: There is no index" in out.getvalue()


def test_reconcile_watch_goes_on_until_it_is_told_to_stop(
    world: World, settings: ConsumerSettings, index: Elasticsearch, start: Start
) -> None:
    process = start(
        "reconcile", "--watch", "0.2", reconcile_grace_seconds=0.1, reconcile_delivery_seconds=0, log_level="warning"
    )
    for number in range(2):
        world.create(f"Lost {number}")
        wait_for(
            lambda expected=number + 1: len(documents(index, settings.search_alias)) == expected,
            deadline_seconds=30,
            message="the drift was not repaired",
        )
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30) == 0


def test_reconcile_watch_leaves_a_new_task_to_its_event(
    world: World, settings: ConsumerSettings, index: Elasticsearch, start: Start
) -> None:
    world.create("Its event is under way")
    start("reconcile", "--watch", "0.2", reconcile_grace_seconds=0.1, log_level="warning")
    wait_for(
        lambda: len(world.rows("SELECT 1 FROM search_reconciliations")) >= 2,
        deadline_seconds=30,
        message="nothing was reconciled",
    )
    assert not world.rows("SELECT 1 FROM search_reconciliations WHERE missing <> 0")
    assert not documents(index, settings.search_alias)


def test_settings_lists_them_without_needing_any() -> None:
    command = [sys.executable, "-m", "taskhub_sqs_consumer", "settings"]
    output = subprocess.run(
        command, env={"PATH": os.environ["PATH"]}, check=True, capture_output=True, text=True
    ).stdout
    assert "TASKHUB_CONSUMER_VISIBILITY_SECONDS" in output
    assert "TASKHUB_DATABASE_URL" in output
