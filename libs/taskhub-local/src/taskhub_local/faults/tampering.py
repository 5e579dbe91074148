"""Writes to the index past TaskHub: deletes documents, makes them old, and adds some of no task."""

import time
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import httpx
import orjson

from taskhub_core.search.document import bucket, checksum
from taskhub_local.errors import LocalError
from taskhub_local.faults.plain import NO_TLS

_PATIENCE_SECONDS = 30.0
_POLL_SECONDS = 0.1

type Source = Mapping[str, Any]
"""A document as the index keeps it."""


class Tampering:
    """Somebody who may write to Elasticsearch, and should not. Each method raises httpx.HTTPError."""

    def __init__(self, url: str, alias: str) -> None:
        self._client = httpx.Client(base_url=f"{url}/{alias}", timeout=30, trust_env=False, verify=NO_TLS)

    def documents(self, account_id: uuid.UUID, *, versions: Mapping[str, int], count: int) -> list[Source]:
        """Return so many live documents of an account, of such versions. Raises LocalError if there are fewer."""
        filters = [
            {"term": {"account_id": str(account_id)}},
            {"term": {"deleted": False}},
            {"range": {"version": versions}},
        ]
        answer = self._client.post("/_search", json={"size": count, "query": {"bool": {"filter": filters}}})
        found = [hit["_source"] for hit in answer.raise_for_status().json()["hits"]["hits"]]
        if len(found) < count:
            raise LocalError(f"the index has only {len(found)} documents of such versions")
        return found

    def delete(self, documents: Iterable[Source]) -> None:
        """Delete them, without the tombstone that TaskHub would leave."""
        self._bulk(orjson.dumps({"delete": {"_id": document["id"]}}) for document in documents)

    def add(self, documents: Iterable[Source]) -> int:
        """Write those of which the index has no newer version; return how many it took that it did not have."""
        answer = self._bulk(line for document in documents for line in _write(document))
        return sum(item["index"]["status"] == httpx.codes.CREATED for item in answer["items"])

    def make_old(self, documents: Sequence[Source]) -> None:
        """Put the version before in their place, but where TaskHub writes a newer one first. Raises LocalError."""
        before = [numbered(document, uuid.UUID(document["id"]), document["version"] - 1) for document in documents]
        deadline = time.monotonic() + _PATIENCE_SECONDS
        with self._forgetting():
            self.delete(documents)
            while not self.add(before):
                if time.monotonic() > deadline:
                    raise LocalError("the index does not take documents of old versions")
                time.sleep(_POLL_SECONDS)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    @contextmanager
    def _forgetting(self) -> Iterator[None]:
        """The versions of deleted documents are remembered for a minute otherwise, and older ones refused."""
        self._set({"index.gc_deletes": "0s"})
        try:
            yield
        finally:
            self._set({"index.gc_deletes": None})

    def _set(self, settings: Mapping[str, str | None]) -> None:
        self._client.put("/_settings", json=settings).raise_for_status()

    def _bulk(self, lines: Iterable[bytes]) -> dict[str, Any]:
        content = b"".join(line + b"\n" for line in lines)
        headers = {"Content-Type": "application/x-ndjson"}
        answer = self._client.post("/_bulk", params={"refresh": "true"}, content=content, headers=headers)
        result: dict[str, Any] = answer.raise_for_status().json()
        return result


def numbered(document: Source, task_id: uuid.UUID, version: int) -> Source:
    """Return a document that says the same of another task, or of another version, and counts as that in its range."""
    identity = {"id": str(task_id), "bucket": bucket(task_id), "checksum": checksum(task_id, version)}
    return {**document, **identity, "version": version}


def _write(document: Source) -> tuple[bytes, bytes]:
    action = {"_id": document["id"], "version": document["version"], "version_type": "external"}
    return orjson.dumps({"index": action}), orjson.dumps(document)
