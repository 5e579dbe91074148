"""The difference between two renderings of an environment, object by object."""

import difflib
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

type Objects = Mapping[str, dict[str, Any]]


def difference(before: Objects, after: Objects) -> Iterator[str]:
    """The lines of a unified diff; none if nothing differs."""
    for name in sorted({*before, *after}):
        old, new = _lines(before.get(name)), _lines(after.get(name))
        yield from difflib.unified_diff(old, new, f"before: {name}", f"after: {name}", lineterm="")


def _lines(manifest: dict[str, Any] | None) -> list[str]:
    if manifest is None:
        return []
    return yaml.safe_dump(manifest, width=120, sort_keys=False).splitlines()
