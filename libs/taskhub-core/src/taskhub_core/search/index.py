"""The index itself: its mapping, its settings, and the alias that everybody uses.

Only what Elasticsearch's core and its standard analyzer offer is used, so that any distribution will do. Scores use
the `boolean` similarity: a word counts the weight of the field it stands in, whatever other documents say. That suits
short texts of which every hit has all the words, and it makes a score a property of the document alone: pages keep
their order while others write, across replicas, and across a reindex.
"""

from datetime import UTC, datetime
from typing import Any

import structlog
from elasticsearch import BadRequestError, Elasticsearch, NotFoundError

from taskhub_core.ids import new_id

_log = structlog.get_logger(__name__)

_TEXT: dict[str, Any] = {"type": "text", "analyzer": "standard", "similarity": "boolean", "norms": False}
# The beginnings of words are indexed too: a prefix is one look-up, not an expansion over every account's words.
_PREFIXED: dict[str, Any] = {**_TEXT, "index_prefixes": {"min_chars": 1, "max_chars": 5}}
_KEYWORD: dict[str, Any] = {"type": "keyword", "ignore_above": 1_024}
_STORED_ONLY: dict[str, Any] = {"type": "keyword", "index": False, "doc_values": False, "ignore_above": 1_024}
_DATE: dict[str, Any] = {"type": "date", "format": "strict_date_optional_time"}

MAPPINGS: dict[str, Any] = {
    "dynamic": "strict",
    "properties": {
        "id": _KEYWORD,
        "account_id": _KEYWORD,
        "title": _PREFIXED,
        "notes": {**_PREFIXED, "index_options": "offsets"},
        "status": _KEYWORD,
        "priority": {"type": "byte"},
        "due_at": _DATE,
        "remind": {"type": "boolean", "index": False, "doc_values": False},
        "tags": {**_KEYWORD, "fields": {"text": _PREFIXED}},
        "external_id": _STORED_ONLY,
        "version": {"type": "long"},
        "created_at": _DATE,
        "updated_at": _DATE,
        "completed_at": {**_DATE, "index": False, "doc_values": False},
        "deleted": {"type": "boolean"},
        "bucket": _KEYWORD,
        "checksum": {"type": "long"},
    },
}

SETTINGS: dict[str, Any] = {
    "index": {
        "number_of_shards": 1,
        "auto_expand_replicas": "0-1",
        # Set explicitly: by default an index that nobody searched for a while refreshes only when the next search
        # comes, and that search would wait for it.
        "refresh_interval": "1s",
    }
}


def new_index_name(alias: str) -> str:
    """A name for a concrete index behind the alias; names sort by the time they were made."""
    return f"{alias}-{datetime.now(UTC):%Y%m%d%H%M%S}-{new_id().hex[-8:]}"


def create_index(client: Elasticsearch, name: str) -> None:
    """Makes an empty index that no alias points to yet."""
    client.indices.create(index=name, mappings=MAPPINGS, settings=SETTINGS)


def extend_mapping(client: Elasticsearch, alias: str) -> None:
    """Adds the fields that this release has and the index has not. Harmless to repeat, and for any number of processes.

    An index that has a field otherwise stays as it is: what it then refuses is reported write by write, and a full
    reindex mends it.
    """
    try:
        client.indices.put_mapping(index=alias, properties=MAPPINGS["properties"])
    except BadRequestError as error:
        _log.warning("the index has another release's mapping, reindex it", alias=alias, error=str(error))


def indices_behind(client: Elasticsearch, alias: str) -> list[str]:
    """The concrete indices that the alias points to: one, or none when it is missing."""
    try:
        return sorted(client.indices.get_alias(name=alias))
    except NotFoundError:
        return []


def all_indices(client: Elasticsearch, alias: str) -> list[str]:
    """Every index that was made for the alias, oldest first."""
    return sorted(client.indices.get(index=f"{alias}-*", expand_wildcards="all", features=["aliases"]))


def swap_alias(client: Elasticsearch, alias: str, *, to: str) -> list[str]:
    """Points the alias to one index, in one step for every reader and writer; returns what it pointed to before."""
    before = [name for name in indices_behind(client, alias) if name != to]
    removals = [{"remove": {"index": name, "alias": alias}} for name in before]
    client.indices.update_aliases(actions=[*removals, {"add": {"index": to, "alias": alias, "is_write_index": True}}])
    return before
