"""Each process runs without rights and without any dependency there, and ends when it is told to."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from taskhub_local.testing import wait_for
from tests.e2e.cluster.engine import docker
from tests.images.container import command_of_first_process, exit_code, fetch, logs, running

# The images may have to be built first, which takes minutes and is not a test's own time.
pytestmark = [pytest.mark.images, pytest.mark.timeout(300, func_only=True)]

_LONGEST_STOP_SECONDS = 40
# Nothing listens there: the network is cut off.
_ENVIRONMENT = {
    "TASKHUB_DATABASE_URL": "postgresql://taskhub:taskhub@127.0.0.1:5432/taskhub",
    "TASKHUB_REDIS_URL": "redis://127.0.0.1:6379/0",
    "TASKHUB_SQS_ENDPOINT_URL": "http://127.0.0.1:9324",
    "AWS_ACCESS_KEY_ID": "none",
    "AWS_SECRET_ACCESS_KEY": "none",
    "TASKHUB_JWT_KEYS": '{"test": "a key that signs nothing, since nobody logs in"}',
    "TASKHUB_JWT_ACTIVE_KID": "test",
}


@dataclass(frozen=True, slots=True)
class Process:
    """How one process is started, and where it says that it is alive."""

    name: str
    image: str
    arguments: tuple[str, ...] = ()
    entrypoint: str | None = None
    alive: str = "http://127.0.0.1:9100/livez"


PROCESSES = (
    Process("taskhub-api", "taskhub-api"),
    Process("taskhub-worker", "taskhub-worker"),
    Process("taskhub-dispatcher", "taskhub-worker", entrypoint="/app/bin/taskhub-dispatcher"),
    Process("taskhub-sqs-consumer", "taskhub-sqs-consumer"),
    Process("taskhub_local.sink", "taskhub-sink", alive="http://127.0.0.1:8025/livez"),
)


@pytest.mark.parametrize("process", PROCESSES, ids=lambda process: process.name)
def test_sigterm_reaches_the_first_process_and_it_ends_in_order(process: Process, tags: Mapping[str, str]) -> None:
    tag = tags[process.image]
    with running(tag, *process.arguments, entrypoint=process.entrypoint, environment=_ENVIRONMENT) as container:

        def is_alive() -> bool:
            return fetch(container, process.alive) == 200

        wait_for(is_alive, deadline_seconds=90, message=f"{process.name} is alive")
        assert any(process.name in word for word in command_of_first_process(container))
        began = time.monotonic()
        docker("kill", "--signal", "TERM", container)
        assert exit_code(container) == 0, logs(container)
        assert time.monotonic() - began < _LONGEST_STOP_SECONDS
