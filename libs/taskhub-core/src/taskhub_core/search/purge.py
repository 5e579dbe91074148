"""Deletes tombstones from the index once no late event can come any more."""

from datetime import UTC, datetime, timedelta
from typing import Any

from elasticsearch import Elasticsearch

KEEP_HOURS = 15 * 24
"""A day longer than SQS can keep a message. Only a redrive of older messages could bring such a task back, and the
next reconciliation would take it out again."""

_PAGE = 1_000


def purge_tombstones(client: Elasticsearch, alias: str, *, older_than_hours: float = KEEP_HOURS) -> int:
    """Deletes the tombstones that are older, and returns how many. One that changed meanwhile stays."""
    before = (datetime.now(UTC) - timedelta(hours=older_than_hours)).isoformat()
    query = {"bool": {"filter": [{"term": {"deleted": True}}, {"range": {"updated_at": {"lt": before}}}]}}
    purged = 0
    after: list[Any] | None = None
    while True:
        answer = client.search(
            index=alias,
            query=query,
            sort=[{"id": "asc"}],
            search_after=after,
            size=_PAGE,
            source=False,
            seq_no_primary_term=True,
            track_total_hits=False,
        )
        hits = answer["hits"]["hits"]
        if not hits:
            return purged
        # The sequence number makes the delete conditional: a newer version written meanwhile is not deleted.
        operations = [
            {
                "delete": {
                    "_index": hit["_index"],
                    "_id": hit["_id"],
                    "if_seq_no": hit["_seq_no"],
                    "if_primary_term": hit["_primary_term"],
                }
            }
            for hit in hits
        ]
        items = client.bulk(operations=operations)["items"]
        purged += sum(1 for item in items if item["delete"]["status"] == 200)
        after = hits[-1]["sort"]
