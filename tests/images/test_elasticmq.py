"""ElasticMQ with the chart's configuration is as durable as SQS, and moves dead letters back by itself as SQS does."""

import uuid
from collections.abc import Callable, Iterator

import pytest

from taskhub_core.events.queue import EventQueue, Message, Outgoing, QueueUnavailable, RedriveMethod, make_sqs_client
from taskhub_core.settings import QueueSettings
from taskhub_local.ports import HOST, any_free
from taskhub_local.testing import wait_for
from tests.e2e.cluster import catalog
from tests.e2e.cluster.engine import docker
from tests.e2e.cluster.paths import ROOT
from tests.images.needed import ensure_backing_images

pytestmark = [pytest.mark.images, pytest.mark.timeout(300, func_only=True)]

_IMAGE = next(tag for tag in catalog.BACKING if "elasticmq" in tag)
_MOST_RECEIVES = 5
type Kill = Callable[[], None]


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> QueueSettings:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "local")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "local")
    return QueueSettings.model_validate({"sqs_endpoint_url": f"http://{HOST}:{any_free()}"})


@pytest.fixture
def queues(settings: QueueSettings) -> Iterator[tuple[EventQueue, EventQueue]]:
    """The queue and its dead-letter queue."""
    client = make_sqs_client(settings)
    yield EventQueue(client, settings.sqs_queue_name), EventQueue(client, settings.sqs_dlq_name)
    client.close()


@pytest.fixture
def kill(settings: QueueSettings, queues: tuple[EventQueue, EventQueue]) -> Iterator[Kill]:
    """ElasticMQ runs as in the chart; what is given kills it and waits until it is back on its volume."""
    ensure_backing_images()
    name, volume = f"elasticmq-{uuid.uuid4().hex[:8]}", f"elasticmq-{uuid.uuid4().hex[:8]}"
    port = settings.sqs_endpoint_url.port if settings.sqs_endpoint_url else None
    config = ROOT / "charts/backing/files/elasticmq.conf"
    mounts = (
        "--volume",
        f"{volume}:/data",
        "--volume",
        f"{config}:/opt/elasticmq.conf:ro",
        "--tmpfs",
        "/tmp:mode=1777",
    )
    hardened = ("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--user", "0:0")
    options = ("--publish", f"{HOST}:{port}:9324", "--env", "JAVA_OPTS=-Xmx192m -XX:+UseSerialGC")

    def answers() -> bool:
        try:
            queues[1].counts()
        except QueueUnavailable:
            return False
        return True

    def kill_and_wait() -> None:
        docker("kill", name)
        docker("start", name)
        wait_for(answers, deadline_seconds=120, message="ElasticMQ is back")

    try:
        docker("run", "--detach", "--name", name, *hardened, *mounts, *options, _IMAGE)
        wait_for(answers, deadline_seconds=120, message="ElasticMQ answers")
        yield kill_and_wait
    finally:
        docker("rm", "--force", name)
        docker("volume", "rm", "--force", volume)


def test_a_kill_takes_no_message_that_was_accepted_or_is_in_flight(
    kill: Kill, queues: tuple[EventQueue, EventQueue]
) -> None:
    queue, _ = queues
    assert queue.send([Outgoing(str(number), f"message {number}") for number in range(50)]) == {}
    held = queue.receive(visibility_seconds=600)
    assert queue.delete(held[:1]) == 0
    kill()
    counts = queue.counts()
    assert (counts.visible, counts.in_flight) == (50 - len(held), len(held) - 1)
    # The receipts of before are still good.
    assert queue.set_visibility(held[1:], 0) == 0
    everything = {message.body for message in _receive_all(queue)}
    assert everything == {f"message {number}" for number in range(50)} - {held[0].body}


def test_dead_letters_survive_a_kill_and_are_moved_back_with_a_fresh_count(
    kill: Kill, queues: tuple[EventQueue, EventQueue]
) -> None:
    queue, dead = queues
    queue.send([Outgoing("poison", "poison")])
    for expected in range(1, _MOST_RECEIVES + 1):
        (message,) = queue.receive(visibility_seconds=60)
        assert message.receive_count == expected
        queue.set_visibility([message], 0)
    assert queue.receive(visibility_seconds=60) == []
    kill()
    assert [message.body for message in dead.peek()] == ["poison"]
    redriven = dead.redrive_to(queue)
    assert (redriven.method, redriven.moved) == (RedriveMethod.MOVE_TASK, 1)
    wait_for(lambda: queue.counts().visible == 1, deadline_seconds=30, message="the message is back")
    (again,) = queue.receive(visibility_seconds=60)
    assert (again.body, again.receive_count) == ("poison", 1)
    assert dead.counts().visible == 0


def _receive_all(queue: EventQueue) -> list[Message]:
    found: list[Message] = []
    while received := queue.receive(visibility_seconds=600):
        found += received
    return found
