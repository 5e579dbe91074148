"""A search in Elasticsearch: relevance, prefixes, typos, highlights, filters, and pages by search_after.

A word's score is the weight of the best field and way it was found in: as it is before its beginning before a typo,
the title before tags before notes. Scores belong to the document alone (search/index.py), so that search_after on
score and id walks over each hit once, without holding a point in time open for every search.
"""

import re
from typing import Any

from elasticsearch import AsyncElasticsearch

from taskhub_core.search.cursor import Cursor, write_cursor
from taskhub_core.search.document import from_hit
from taskhub_core.search.highlight import CLOSING, OPENING, render
from taskhub_core.search.request import Found, SearchHit, SearchRequest, Source
from taskhub_core.tasks.listing import TaskFilter

_FIELDS = ["title^4", "tags.text^2", "notes"]
_WHOLE, _BEGINNING, _TYPO = 4, 2, 1
_MAX_ANALYZED = 100_000


class PartialAnswer(Exception):
    """Elasticsearch ran out of time, or a part of the index did not answer."""


def search_body(request: SearchRequest, cursor: Cursor | None) -> dict[str, Any]:
    """The body of the search."""
    words = request.words()
    must = [_word(word) for word in words] or [{"match_none": {}}]
    # Words that stand together as they were asked for are worth as much as another word in the title.
    together = [{"match_phrase": {"title": {"query": " ".join(words), "boost": 16}}}] if len(words) > 1 else []
    body: dict[str, Any] = {
        "query": {"bool": {"filter": _filter(request), "must": must, "should": together}},
        "sort": [{"_score": "desc"}, {"id": "desc"}],
        "track_scores": True,
        "track_total_hits": False,
        "size": request.limit + 1,
        "highlight": {
            "type": "unified",
            "pre_tags": [OPENING],
            "post_tags": [CLOSING],
            "max_analyzed_offset": _MAX_ANALYZED,
            "highlight_query": {"bool": {"should": [way for word in words for way in _highlighted(word)]}},
            "fields": {
                "title": {"number_of_fragments": 0},
                "notes": {"number_of_fragments": 2, "fragment_size": 150},
            },
        },
    }
    if cursor is not None:
        body["search_after"] = [cursor.score, str(cursor.task_id)]
    return body


def _word(word: str) -> dict[str, Any]:
    def match(boost: int, **how: Any) -> dict[str, Any]:
        return {"multi_match": {"query": word, "fields": _FIELDS, "operator": "and", "boost": boost, **how}}

    ways = [
        match(_WHOLE, type="best_fields"),
        match(_BEGINNING, type="bool_prefix"),
        # The first letter must be right: that keeps both the work and the surprises small.
        match(_TYPO, type="best_fields", fuzziness="AUTO", prefix_length=1, max_expansions=20),
    ]
    return {"dis_max": {"queries": ways}}


def _highlighted(word: str) -> list[dict[str, Any]]:
    # Prefixes are looked up in a field of their own, which marks nothing in the text: highlights need a pattern. And
    # the highlighter builds automata for every hit: with two typos they cost four times the search, so it knows one.
    pattern = re.sub(r"([*?\\])", r"\\\1", word.lower()) + "*"
    return [
        {"multi_match": {"query": word, "fields": ["title", "notes"], "fuzziness": 1, "prefix_length": 1}},
        *({"wildcard": {name: {"value": pattern}}} for name in ("title", "notes")),
    ]


def _filter(request: SearchRequest) -> list[dict[str, Any]]:
    wanted: TaskFilter = request.filters
    found: list[dict[str, Any]] = [{"term": {"account_id": str(request.account_id)}}, {"term": {"deleted": False}}]
    if wanted.statuses:
        found.append({"terms": {"status": [status.value for status in wanted.statuses]}})
    if wanted.priorities:
        found.append({"terms": {"priority": list(wanted.priorities)}})
    found += [{"term": {"tags": tag}} for tag in wanted.tags]
    due = {"gte": wanted.due_from, "lt": wanted.due_before}
    if any(due.values()):
        found.append({"range": {"due_at": {name: value for name, value in due.items() if value is not None}}})
    return found


async def search_index(
    client: AsyncElasticsearch, alias: str, request: SearchRequest, cursor: Cursor | None, *, timeout_ms: int
) -> Found:
    """One page. Raises elasticsearch's errors, and PartialAnswer for an answer that is not whole."""
    answer = await client.search(
        index=alias,
        **search_body(request, cursor),
        timeout=f"{timeout_ms}ms",
        allow_partial_search_results=False,
        preference=str(request.account_id),
    )
    if answer["timed_out"]:
        raise PartialAnswer("Elasticsearch ran out of time")
    hits = [_hit(hit) for hit in answer["hits"]["hits"]]
    page = hits[: request.limit]
    if len(hits) <= request.limit:
        return Found(page, None)
    last = Cursor(Source.ELASTICSEARCH, page[-1].score, page[-1].task.id)
    return Found(page, write_cursor(last, request))


def _hit(hit: dict[str, Any]) -> SearchHit:
    marked = hit.get("highlight", {})
    highlights = {name: render(marked[name]) for name in ("title", "notes") if name in marked}
    return SearchHit(from_hit(hit["_source"]), hit["sort"][0], highlights)
