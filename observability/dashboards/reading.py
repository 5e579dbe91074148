"""Reads the committed dashboards back: their panels and queries, and the metrics that these name."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "json"

# What PromQL itself calls something; every other name is a metric's.
_WORDS = re.compile(
    "by|without|on|ignoring|group_left|group_right|and|or|unless|bool|offset|inf|nan"
    "|sum|avg|min|max|count|quantile|topk|bottomk|sort|sort_desc"
    "|(?:avg|max|min|sum|last|count|present|absent)_over_time"
    "|rate|increase|delta|deriv|changes|resets|irate|idelta|predict_linear|histogram_quantile"
    "|label_replace|label_join|vector|scalar|time|timestamp|clamp_max|clamp_min|abs|absent|floor|ceil|round"
)


@dataclass(frozen=True)
class Panel:
    """A panel that shows data."""

    raw: dict[str, Any] = field(repr=False)

    @property
    def title(self) -> str:
        """What stands above it."""
        return str(self.raw["title"])

    @property
    def kind(self) -> str:
        """Grafana's name of its shape."""
        return str(self.raw["type"])

    @property
    def unit(self) -> str:
        """Grafana's name of its unit."""
        return str(self.raw["fieldConfig"]["defaults"].get("unit", ""))

    @cached_property
    def queries(self) -> list[str]:
        """Its PromQL, as Grafana has it."""
        return [str(target["expr"]) for target in self.raw["targets"]]


@dataclass(frozen=True)
class Page:
    """A dashboard."""

    name: str
    raw: dict[str, Any] = field(repr=False)

    @cached_property
    def panels(self) -> list[Panel]:
        """Its panels in the order of reading, headings left out."""
        return [Panel(panel) for panel in self.raw["panels"] if panel["type"] != "row"]


def committed_pages() -> Iterator[Page]:
    """Every dashboard in json/, by name."""
    for path in sorted(FOLDER.glob("*.json")):
        yield Page(path.stem, json.loads(path.read_text()))


def metric_names(query: str) -> list[str]:
    """The metrics that a query names, each once."""
    bare = re.sub(r'"[^"]*"', '""', query)
    bare = re.sub(r"\{[^}]*\}", "", bare)
    bare = re.sub(r"\[[^\]]*\]", "", bare)
    bare = re.sub(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)", "", bare)
    names = re.findall(r"(?<![\w$.:])[a-zA-Z_:][\w:]*", bare)
    return list(dict.fromkeys(name for name in names if not _WORDS.fullmatch(name)))
