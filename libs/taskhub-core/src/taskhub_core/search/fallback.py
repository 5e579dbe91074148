"""The same search in PostgreSQL's full text: what answers while Elasticsearch is away. It forgives no typos.

Each word of the client becomes a quoted operand of to_tsquery, which PostgreSQL's own parser takes apart: whatever the
word holds, it is never syntax. Scores depend on the row alone, so that the keyset on (score, id) is stable.
"""

from functools import reduce
from typing import Any

from sqlalchemy import ColumnElement, Connection, Float, cast, func, literal, select, tuple_
from sqlalchemy.dialects.postgresql import ARRAY, REAL, TSQUERY

from taskhub_core.search.cursor import Cursor, write_cursor
from taskhub_core.search.highlight import CLOSING, OPENING, render
from taskhub_core.search.request import Found, SearchHit, SearchRequest, Source
from taskhub_core.tasks.models import tasks
from taskhub_core.tasks.task import from_row

# Of D, C, B and A. Notes are C and titles A. Tags have no positions (array_to_tsvector), and what has none counts as D.
_WEIGHTS = cast([0.4, 0.2, 0.4, 1.0], ARRAY(REAL))
_MARKS = f"StartSel={OPENING}, StopSel={CLOSING}"
_NOTES = f"{_MARKS}, MaxFragments=2, MinWords=8, MaxWords=25, FragmentDelimiter=\ue002"
_DELIMITER = "\ue002"
_MAX_HIGHLIGHTED = 100_000
_COLUMNS = [column for column in tasks.c if column.name not in {"search_text", "deleted_at"}]


def _tsquery(words: list[str]) -> ColumnElement[Any]:
    """All of the words, each also as the beginning of a longer one."""
    first, *others = map(_one_word, words)
    return reduce(func.tsquery_and, others, first)


def _one_word(word: str) -> ColumnElement[Any]:
    """The word as PostgreSQL takes it apart, or as the whole of a tag (array_to_tsvector keeps tags as they are)."""
    query: ColumnElement[Any] = func.to_tsquery("simple", _operand(word))
    for spelling in dict.fromkeys((word, word.lower())):
        query = func.tsquery_or(query, cast(_operand(spelling), TSQUERY))
    return query


def _operand(word: str) -> str:
    quoted = word.replace("\\", "\\\\").replace("'", "''")
    return f"'{quoted}':*"


def search_tables(connection: Connection, request: SearchRequest, cursor: Cursor | None) -> Found:
    """One page, by ix_tasks_search_text. Only the page's own rows are highlighted."""
    words = request.words()
    if not words:
        return Found([], None)
    query = _tsquery(words)
    score = cast(func.ts_rank(_WEIGHTS, tasks.c.search_text, query), Float(53))
    matching = select(*_COLUMNS, score.label("score")).where(
        tasks.c.account_id == request.account_id,
        tasks.c.deleted_at.is_(None),
        tasks.c.search_text.op("@@")(query),
        *request.filters.conditions(),
    )
    if cursor is not None:
        matching = matching.where(tuple_(score, tasks.c.id) < (cursor.score, cursor.task_id))
    page = matching.order_by(score.desc(), tasks.c.id.desc()).limit(request.limit + 1).subquery("page")
    title = func.ts_headline("simple", page.c.title, query, literal(f"{_MARKS}, HighlightAll=true"))
    notes = func.ts_headline("simple", func.left(page.c.notes, _MAX_HIGHLIGHTED), query, literal(_NOTES))
    rows = connection.execute(
        select(page, title.label("title_marked"), notes.label("notes_marked")).order_by(
            page.c.score.desc(), page.c.id.desc()
        )
    ).all()
    hits = [_hit(row) for row in rows[: request.limit]]
    if len(rows) <= request.limit:
        return Found(hits, None)
    last = Cursor(Source.POSTGRESQL, hits[-1].score, hits[-1].task.id)
    return Found(hits, write_cursor(last, request))


def _hit(row: Any) -> SearchHit:
    marked = {"title": render([row.title_marked]), "notes": render(row.notes_marked.split(_DELIMITER))}
    return SearchHit(from_row(row), row.score, {name: fragments for name, fragments in marked.items() if fragments})
