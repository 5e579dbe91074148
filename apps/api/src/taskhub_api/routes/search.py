"""/v1/search: the account's tasks by their words."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from taskhub_api.answers import to_json
from taskhub_api.dependencies import CurrentCaller, Cursor
from taskhub_api.dependency_probes.state import Dependency
from taskhub_api.dependency_probes.watch import DependencyWatch
from taskhub_api.fields import Timestamp
from taskhub_api.routes.documented import problems
from taskhub_api.routes.tasks import TaskOut
from taskhub_core.search.request import MAX_LIMIT, SearchAnswer, SearchHit, SearchRequest, Source
from taskhub_core.search.service import SearchService
from taskhub_core.tasks.formats.draft import TAGS_PER_TASK
from taskhub_core.tasks.listing import TaskFilter
from taskhub_core.tasks.status import TaskStatus

router = APIRouter(prefix="/v1/search", tags=["search"])

_TEXT_CHARS = 1_000


class HighlightsOut(BaseModel):
    """Pieces of the fields, HTML-escaped, with the words that were found in <em>."""

    title: list[str] = []
    notes: list[str] = []


class HitOut(BaseModel):
    """A task that was found."""

    task: TaskOut
    score: float = Field(description="Compares the hits of one answer, and no others.")
    highlights: HighlightsOut


class SearchOut(BaseModel):
    """A page of hits, the best first, and where it came from."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "items": [
                        {
                            "task": {
                                "id": "0190c5a8-6d1e-7000-8000-000000000000",
                                "title": "Rotate the signing keys",
                                "notes": "The runbook has the steps.",
                                "status": "open",
                                "priority": 3,
                                "due_at": "2026-01-05T09:30:00Z",
                                "remind": False,
                                "tags": ["security", "q4"],
                                "external_id": None,
                                "version": 2,
                                "created_at": "2026-01-02T08:00:00Z",
                                "updated_at": "2026-01-03T10:15:00Z",
                                "completed_at": None,
                            },
                            "score": 24.0,
                            "highlights": {"title": ["<em>Rotate</em> the signing <em>keys</em>"], "notes": []},
                        }
                    ],
                    "next_cursor": None,
                    "source": "elasticsearch",
                    "degraded": False,
                    "reason": None,
                    "stale": False,
                }
            ]
        }
    )

    items: list[HitOut]
    next_cursor: str | None
    source: Source
    degraded: bool = Field(description="PostgreSQL answered in Elasticsearch's place: typos are not forgiven.")
    reason: str | None = Field(description="Why, if degraded: timeout, unreachable, breaker_open, ...")
    stale: bool = Field(description="PostgreSQL is away: the index may lack the last changes before that.")


def _hit_document(hit: SearchHit) -> dict[str, Any]:
    highlights = {name: hit.highlights.get(name, []) for name in ("title", "notes")}
    return {"task": hit.task.as_document(), "score": hit.score, "highlights": highlights}


def _document(answer: SearchAnswer, *, postgresql_down: bool) -> dict[str, Any]:
    return {
        "items": [_hit_document(hit) for hit in answer.hits],
        "next_cursor": answer.next_cursor,
        "source": answer.source.value,
        "degraded": answer.degraded,
        "reason": answer.reason,
        "stale": postgresql_down and answer.source is Source.ELASTICSEARCH,
    }


@router.get("", response_model=SearchOut, responses=problems(401), summary="Search tasks")
async def search_tasks(
    request: Request,
    caller: CurrentCaller,
    q: Annotated[
        str,
        Query(
            min_length=1,
            max_length=_TEXT_CHARS,
            description="Every word must be in the title, the notes or the tags, as it is or as a word's beginning.",
            examples=["rotat keys"],
        ),
    ],
    status: Annotated[list[TaskStatus], Query(description="One or several.")] = [],  # noqa: B006 - FastAPI copies it
    tag: Annotated[list[str], Query(max_length=TAGS_PER_TASK, description="Tasks that have every one.")] = [],  # noqa: B006
    priority: Annotated[
        list[Annotated[int, Field(ge=0, le=4)]], Query(max_length=5, description="One or several.")
    ] = [],  # noqa: B006
    due_from: Annotated[Timestamp | None, Query(description="Due at or after this time.")] = None,
    due_before: Annotated[Timestamp | None, Query(description="Due before this time.")] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT, description="How many to return at most.")] = 20,
    cursor: Cursor = None,
) -> Response:
    """Tasks by relevance, from Elasticsearch: words may be cut short or misspelt. New changes show within seconds.

    While Elasticsearch is slow or away, PostgreSQL answers and `degraded` is true. A cursor belongs to the source that
    gave it out: when that is away now, the answer is 422, and the search begins again without a cursor.
    """
    search: SearchService = request.app.state.search
    watch: DependencyWatch = request.app.state.dependency_watch
    filters = TaskFilter(tuple(status), tuple(tag), tuple(priority), due_from, due_before)
    answer = await search.search(
        SearchRequest(account_id=caller.account_id, text=q, filters=filters, limit=limit, cursor=cursor)
    )
    content = _document(answer, postgresql_down=watch.is_down(Dependency.POSTGRESQL))
    return Response(to_json(content), media_type="application/json")
