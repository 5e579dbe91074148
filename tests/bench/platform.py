"""The real servers that benchmarks run against, each benchmark with data of its own."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from taskhub_core.database.migrate import upgrade
from taskhub_local.parts.base import PartFolders
from taskhub_local.parts.elasticsearch import ElasticsearchPart, why_unavailable
from taskhub_local.parts.postgres import PostgresPart
from taskhub_local.parts.redis import RedisPart
from taskhub_local.parts.sqs import CREDENTIALS, SqsPart
from taskhub_local.ports import any_free

ROOT = Path(__file__).parent.parent.parent


@dataclass(frozen=True, slots=True)
class Servers:
    """Where they are."""

    postgres: PostgresPart
    redis: RedisPart
    sqs: SqsPart
    logs: Path

    def environment(self, database: str, redis_database: int) -> dict[str, str]:
        """A migrated database, and the environment of TaskHub's processes on it."""
        self.postgres.drop_database(database)
        url = self.postgres.create_database(database)
        upgrade(url)
        return {
            **CREDENTIALS,
            "PYTHONPATH": str(ROOT),
            "BENCH_DATABASE": url,
            "BENCH_REDIS": self.redis.url_for(redis_database),
            "TASKHUB_DATABASE_URL": url,
            "TASKHUB_REDIS_URL": self.redis.url_for(redis_database),
            "TASKHUB_SQS_ENDPOINT_URL": self.sqs.url,
            "TASKHUB_JWT_KEYS": '{"bench": "a key for benchmarks, which guards nothing"}',
            "TASKHUB_JWT_ACTIVE_KID": "bench",
            "TASKHUB_JOB_KIND_MODULES": '["tests.bench.kinds"]',
            "TASKHUB_METRICS_PORT": "0",
            "TASKHUB_METRICS_HOST": "127.0.0.1",
        }


@contextmanager
def servers() -> Iterator[Servers]:
    """Starts PostgreSQL (durable, as in production), Redis and SQS in a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="taskhub-bench-") as folder:
        Path(folder).chmod(0o755)  # PostgreSQL runs as another user
        folders = PartFolders(Path(folder))
        parts = (
            PostgresPart(folders, any_free()),
            RedisPart(folders, any_free(), environment=dict(os.environ)),
            SqsPart(folders, any_free()),
        )
        logs = Path(folder) / "logs"
        try:
            for part in parts:
                part.start()
                part.wait_ready()
            yield Servers(*parts, logs)
        finally:
            for part in reversed(parts):
                part.stop()


@contextmanager
def elasticsearch(*, wanted: object) -> Iterator[str | None]:
    """Elasticsearch's address, if it is wanted and can run here."""
    if not wanted or why_unavailable() is not None:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="taskhub-bench-") as folder:
        Path(folder).chmod(0o755)
        part = ElasticsearchPart(PartFolders(Path(folder)), any_free(), environment=dict(os.environ))
        try:
            part.start()
            part.wait_ready()
            yield part.url
        finally:
            part.stop()
