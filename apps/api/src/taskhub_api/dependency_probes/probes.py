"""One probe a dependency: asks for as little as shows that it does its work, on a connection and limits of its own."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from taskhub_core.database.abort import abort
from taskhub_core.database.engine import connect_args, sqlalchemy_url
from taskhub_core.errors import TaskHubError
from taskhub_core.events.queue import EventQueue, make_sqs_client
from taskhub_core.redis_tls import tls_options
from taskhub_core.search.client import make_async_client
from taskhub_core.settings import BrokerSettings, DatabaseSettings, QueueSettings, SearchSettings


class ProbeFailed(TaskHubError):
    """It answers, but cannot do its work."""


class ReadOnly(ProbeFailed):
    """PostgreSQL takes no writes: it is a standby, or the primary before a failover."""


class IndexMissing(ProbeFailed):
    """Elasticsearch answers, but the alias of the index is not there."""


class Probe(Protocol):
    """Asks one dependency."""

    async def ask(self) -> None:
        """Returns when it is well, raises when it is not, and may be cancelled."""
        ...

    async def close(self) -> None:
        """Lets go of connections."""
        ...


class PostgresProbe:
    """Opens a session, as the pool would have to, and asks whether it may write."""

    def __init__(self, settings: DatabaseSettings) -> None:
        arguments = connect_args(settings, application_name="taskhub-api-probe")
        self._engine = create_async_engine(sqlalchemy_url(settings), connect_args=arguments, poolclass=NullPool)
        self._left_behind: set[asyncio.Task[None]] = set()

    async def ask(self) -> None:
        """Raises what the driver raises, and ReadOnly."""
        open_connection: list[Connection] = []
        asking = asyncio.create_task(self._ask(open_connection))
        try:
            await asyncio.shield(asking)
        except asyncio.CancelledError:
            # Cancelling psycopg makes it wait for the server once more; breaking the connection does not.
            self._left_behind.add(asking)
            asking.add_done_callback(self._forget)
            for connection in open_connection:
                abort(connection)
            raise

    async def _ask(self, open_connection: list[Connection]) -> None:
        async with self._engine.connect() as connection:
            assert connection.sync_connection is not None
            open_connection.append(connection.sync_connection)
            read_only = (await connection.execute(text("SHOW transaction_read_only"))).scalar_one()
            open_connection.clear()
        if read_only == "on":
            raise ReadOnly("PostgreSQL takes no writes.")

    def _forget(self, asked: asyncio.Task[None]) -> None:
        self._left_behind.discard(asked)
        if not asked.cancelled():
            asked.exception()

    async def close(self) -> None:
        """Waits for nobody: what was left behind ends with its connection."""
        await self._engine.dispose()


class RedisProbe:
    """PING."""

    def __init__(self, settings: BrokerSettings, *, timeout_seconds: float) -> None:
        self._client = Redis.from_url(
            str(settings.redis_url),
            socket_timeout=timeout_seconds,
            socket_connect_timeout=timeout_seconds,
            retry=Retry(NoBackoff(), 0),
            **tls_options(settings.redis_url, settings),
        )

    async def ask(self) -> None:
        """Raises redis.RedisError."""
        await self._client.ping()

    async def close(self) -> None:
        """Closes the connection."""
        await self._client.aclose()


class SqsProbe:
    """Reads the queue's counts: the queue must be there, and not only the service. boto3 blocks, so a thread asks."""

    def __init__(self, settings: QueueSettings, *, timeout_seconds: float) -> None:
        limits = {
            "sqs_connect_timeout_seconds": min(settings.sqs_connect_timeout_seconds, timeout_seconds),
            "sqs_read_timeout_seconds": min(settings.sqs_read_timeout_seconds, timeout_seconds),
        }
        self._settings = settings.model_copy(update=limits)
        self._queue: EventQueue | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sqs-probe")

    async def ask(self) -> None:
        """Raises QueueUnavailable, and what making a client raises."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._ask)

    def _ask(self) -> None:
        if self._queue is None:  # here and not before: it reads files, and may look for credentials
            self._queue = EventQueue(make_sqs_client(self._settings), self._settings.sqs_queue_name)
        self._queue.counts()

    async def close(self) -> None:
        """A question under way ends by its own limits."""
        self._thread.shutdown(wait=False, cancel_futures=True)


class ElasticsearchProbe:
    """Asks whether the alias is there."""

    def __init__(self, settings: SearchSettings, *, timeout_seconds: float) -> None:
        self._client = make_async_client(settings, timeout_seconds=timeout_seconds)
        self._alias = settings.search_alias

    async def ask(self) -> None:
        """Raises elasticsearch's errors, and IndexMissing."""
        if not await self._client.indices.exists_alias(name=self._alias):
            raise IndexMissing(f"There is no alias {self._alias}.")

    async def close(self) -> None:
        """Closes the connections."""
        await self._client.close()
