"""What is asked of a search, and what it answers: the same whichever engine does the work."""

import enum
import re
import unicodedata
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field

from taskhub_core.tasks.listing import TaskFilter
from taskhub_core.tasks.task import Task

MAX_WORDS = 16
MAX_WORD_LENGTH = 100
MAX_LIMIT = 100
# Characters that PostgreSQL's text type or UTF-8 cannot carry, and controls, which stand in no task's text as words.
_UNUSABLE = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchRequest:
    """A search of one account's tasks. Every word must be found, as it is, as a word's beginning, or nearly."""

    account_id: uuid.UUID
    text: str
    filters: TaskFilter = field(default_factory=TaskFilter)
    limit: int = 20
    """At most MAX_LIMIT."""
    cursor: str | None = None

    def words(self) -> list[str]:
        """The words to look for, at most MAX_WORDS. Without any, nothing is found."""
        candidates = _UNUSABLE.sub(" ", self.text).split()
        return [word[:MAX_WORD_LENGTH] for word in candidates if any(map(_can_be_found, word))][:MAX_WORDS]


def _can_be_found(character: str) -> bool:
    category = unicodedata.category(character)
    return category[0] in "LN" or category == "So"  # letters, digits, and pictographs such as emoji


class Source(enum.StrEnum):
    """Which engine answered."""

    ELASTICSEARCH = "elasticsearch"
    POSTGRESQL = "postgresql"


@dataclass(frozen=True, slots=True)
class SearchHit:
    """A task that was found. Scores compare hits of one answer, not of two engines."""

    task: Task
    score: float
    highlights: Mapping[str, list[str]] = field(default_factory=dict)
    """By field (title, notes): HTML-escaped pieces of it with the words found inside <em>."""


@dataclass(frozen=True, slots=True)
class Found:
    """One page of hits, as an engine returns it."""

    hits: list[SearchHit]
    next_cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchAnswer:
    """One page of hits, and what is to be said of where it came from."""

    hits: list[SearchHit]
    next_cursor: str | None
    source: Source
    degraded: bool = False
    """PostgreSQL answered in the place of Elasticsearch: no typo tolerance, another order."""
    reason: str | None = None
    """Why, if degraded."""
