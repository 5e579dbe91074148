"""Checks a client's arguments for a job against its kind's model, so that no worker ever meets bad ones."""

import math
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from pydantic import ValidationError

from taskhub_api.problems import Problem
from taskhub_core.jobs.registry import JobKind

_INT64 = range(-(2**63), 2**63)
_DEEPEST = 32
_MOST_ERRORS = 50

type _Fault = tuple[str, str]
"""A field's path, and what is wrong with it."""


def check_arguments(kind: JobKind[Any], args: dict[str, Any]) -> dict[str, Any]:
    """The arguments as they are stored: what the client gave, in the model's own notation, and no defaults.

    Defaults are left to the worker, so that a default that is added later does not make a repeated job_id another job.
    Raises Problem invalid, naming each field as `args.<field>`.
    """
    _refuse(_unusable(args, "args", depth=0))
    try:
        parsed = kind.parse(args)
    except ValidationError as error:
        _refuse((_path(item["loc"]), item["msg"]) for item in error.errors(include_url=False))
        raise
    stored: dict[str, Any] = parsed.model_dump(mode="json", exclude_unset=True)
    return stored


def _refuse(faults: Iterable[_Fault]) -> None:
    errors = [{"field": field, "message": message} for field, message in islice(faults, _MOST_ERRORS)]
    if errors:
        detail = f"{errors[0]['field']}: {errors[0]['message']}"
        raise Problem("invalid", detail, extensions={"errors": errors}) from None


def _path(location: tuple[int | str, ...]) -> str:
    return ".".join(("args", *(str(part) for part in location)))


def _unusable(value: Any, path: str, *, depth: int) -> Iterator[_Fault]:
    """What PostgreSQL's jsonb, or JSON as we write it, cannot hold (texts were looked at before: text_guard)."""
    if depth > _DEEPEST:
        yield path, f"is nested more than {_DEEPEST} levels deep"
        return
    match value:
        case float() if not math.isfinite(value):
            yield path, "is too large a number"
        case int() if value not in _INT64:
            yield path, "is beyond 64 bits"
        case dict():
            for name, item in value.items():
                yield from _unusable(item, f"{path}.{name}", depth=depth + 1)
        case list():
            for place, item in enumerate(value):
                yield from _unusable(item, f"{path}.{place}", depth=depth + 1)
