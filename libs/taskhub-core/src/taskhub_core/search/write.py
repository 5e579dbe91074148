"""Writing documents to the index in bulk. The index keeps the newest version whatever order writes arrive in.

Every write carries the task's version as an external version: an older one than what is there is answered 409, which
is success, for the index already has something newer. Deletions are written as versioned tombstones; an Elasticsearch
delete forgets its version after a minute, and a late event would then bring the task back.
"""

import random
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson
from elasticsearch import ApiError, Elasticsearch, TransportError

from taskhub_core.errors import TaskHubError, Unavailable
from taskhub_core.search.client import SearchFailure, classify, classify_status
from taskhub_core.search.document import Document, tombstone

_ATTEMPTS = 4
_MAX_BYTES = 8 * 1024 * 1024
"""Elasticsearch refuses bodies over 100 MB; some proxies before it refuse far smaller ones."""


_PROBE = tombstone(uuid.UUID(int=0), account_id=uuid.UUID(int=0), version=1, at=datetime(2000, 1, 1, tzinfo=UTC))


class IndexUnavailable(Unavailable):
    """The index does not take writes now. What was written of the batch may be written again."""

    def __init__(self, message: str, failure: SearchFailure) -> None:
        super().__init__(message, dependency="elasticsearch")
        self.failure = failure


class IndexRefused(TaskHubError):
    """Elasticsearch will not take this batch as it is (it is too large, say), however often it is sent."""


@dataclass(frozen=True, slots=True)
class Written:
    """What became of a batch."""

    written: int = 0
    already_newer: int = 0
    refused: Mapping[uuid.UUID, str] = field(default_factory=dict)
    """Documents that Elasticsearch will never take as they are, with its reason."""


def write(client: Elasticsearch, target: str, documents: Sequence[Document], *, alias: bool = True) -> Written:
    """Writes the documents to an alias, or (`alias=False`) to a concrete index.

    Items that fail for now are repeated a few times. Raises IndexUnavailable when they keep failing, when nothing
    answers, or when the alias is missing: no index is ever created by a write. Raises IndexRefused.
    """
    written = already_newer = 0
    refused: dict[uuid.UUID, str] = {}
    for chunk in _chunks(documents):
        outcome = _write_chunk(client, target, chunk, alias=alias)
        written += outcome.written
        already_newer += outcome.already_newer
        refused |= outcome.refused
    return Written(written, already_newer, refused)


def check_writable(client: Elasticsearch, alias: str) -> None:
    """Raises IndexUnavailable unless the index takes writes now.

    It is asked to take an old version of a document that it has: the write passes every block and reaches the shard,
    and changes nothing.
    """
    for reason in write(client, alias, [_PROBE]).refused.values():
        raise IndexUnavailable(f"The index {alias} takes no documents: {reason}", SearchFailure.REFUSED)


type _Line = tuple[Document, bytes]


def _chunks(documents: Sequence[Document]) -> list[list[_Line]]:
    chunks: list[list[_Line]] = []
    size = _MAX_BYTES
    for document in documents:
        line = orjson.dumps(document.source)
        if size + len(line) > _MAX_BYTES:
            chunks.append([])
            size = 0
        chunks[-1].append((document, line))
        size += len(line)
    return chunks


def _write_chunk(client: Elasticsearch, target: str, chunk: list[_Line], *, alias: bool) -> Written:
    written = already_newer = 0
    refused: dict[uuid.UUID, str] = {}
    failing: tuple[SearchFailure, str] | None = None
    for attempt in range(_ATTEMPTS):
        if attempt:
            time.sleep(random.uniform(0.05, 0.1) * 2**attempt)  # noqa: S311 - jitter, not a secret
        retried: list[_Line] = []
        for line, item in zip(chunk, _bulk(client, target, chunk, alias=alias), strict=True):
            status, error = item["status"], item.get("error", {})
            if status == 409:
                already_newer += 1
            elif status < 300:
                written += 1
            elif classify_status(status) is SearchFailure.REFUSED:
                refused[line[0].task_id] = f"{error.get('type')}: {error.get('reason')}"
            else:
                failing = classify_status(status), f"{error.get('type')}: {error.get('reason')}"
                retried.append(line)
        if not retried:
            return Written(written, already_newer, refused)
        if failing and failing[0] is SearchFailure.MISSING:
            break
        chunk = retried
    failure, reason = failing or (SearchFailure.FAILED, "no reason was given")
    raise IndexUnavailable(f"The index {target} does not take writes ({failure}): {reason}.", failure)


def _bulk(client: Elasticsearch, target: str, chunk: list[_Line], *, alias: bool) -> list[dict[str, Any]]:
    operations: list[Any] = []
    for document, line in chunk:
        action = {"_id": str(document.task_id), "version": document.version, "version_type": "external"}
        operations += ({"index": action}, line)
    try:
        answer = client.bulk(index=target, operations=operations, require_alias=alias)
    except (ApiError, TransportError) as error:
        failure = classify(error)
        if failure is SearchFailure.REFUSED:
            raise IndexRefused(f"Elasticsearch refused a bulk write of {len(chunk)} documents: {error}") from error
        raise IndexUnavailable(f"Elasticsearch took no bulk write ({failure}): {error}", failure) from error
    return [item["index"] for item in answer["items"]]
