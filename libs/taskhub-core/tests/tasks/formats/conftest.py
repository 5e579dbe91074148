"""Helpers to read one file or one record in a test."""

from collections.abc import Callable
from typing import Any

import pytest

from taskhub_core.tasks.formats import Entry, Format, Rejection, TaskDraft, parse


@pytest.fixture
def read() -> Callable[[Format, bytes | str], list[Any]]:
    """Parse a file into its items."""

    def items(file_format: Format, content: bytes | str) -> list[TaskDraft | Rejection]:
        raw = content.encode() if isinstance(content, str) else content
        entries: list[Entry] = list(parse(file_format, raw))
        assert [entry.index for entry in entries] == list(range(1, len(entries) + 1))
        return [entry.item for entry in entries]

    return items
