"""Before the first request: connections are open, and nothing waits for a PostgreSQL that is away."""

import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import QueuePool, make_url

_POOL_SIZE = 6


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port on which connections are taken and nothing is ever answered."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def test_an_api_that_answers_has_the_connections_that_its_requests_need(serve_api: Any) -> None:
    running = serve_api(database_pool_size=_POOL_SIZE)
    pool = running.app.state.database.engine.pool
    assert isinstance(pool, QueuePool)
    assert pool.checkedin() == _POOL_SIZE


def test_it_starts_soon_while_postgresql_is_silent(serve_api: Any, silent_port: int, database_url: str) -> None:
    silent = make_url(database_url).set(host="127.0.0.1", port=silent_port)
    began = time.monotonic()
    serve_api(database_url=silent.render_as_string(hide_password=False))
    assert time.monotonic() - began < 10
