"""Asks Prometheus what a dashboard's panels ask, as Grafana would fill them in."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

_POINTS = 240
_LABEL = re.compile(r"\{\{\s*(\w+)\s*\}\}")


@dataclass(frozen=True, slots=True)
class Line:
    """A series, named as the panel's legend says."""

    name: str
    labels: dict[str, str]
    times: Sequence[float]
    values: Sequence[float]

    @property
    def last(self) -> float:
        """The newest value."""
        return self.values[-1]


@dataclass(frozen=True, slots=True)
class Span:
    """The time that is looked at, in Unix seconds."""

    start: float
    end: float

    @property
    def step(self) -> float:
        """Seconds between two points."""
        return max(1.0, (self.end - self.start) / _POINTS)


@dataclass(slots=True)
class Prometheus:
    """A server, and what stands for Grafana's variables."""

    client: httpx.Client
    namespace: str = ".*"
    scrape_seconds: float = 15.0
    failures: list[str] = field(default_factory=list)
    """Queries that it did not understand."""

    def ask(self, panel: dict[str, Any], span: Span) -> list[Line]:
        """Every series of a panel."""
        lines: list[Line] = []
        for target in panel["targets"]:
            expr = self._filled_in(target["expr"], span)
            if target.get("instant"):
                answer = self._get("/api/v1/query", {"query": expr, "time": span.end})
            else:
                answer = self._get(
                    "/api/v1/query_range",
                    {"query": expr, "start": span.start, "end": span.end, "step": span.step},
                )
            lines += [_line(found, target.get("legendFormat", "")) for found in answer]
        return [line for line in lines if line.values]

    def _filled_in(self, expr: str, span: Span) -> str:
        # Grafana's own rule for $__rate_interval.
        window = max(span.step + self.scrape_seconds, 4 * self.scrape_seconds)
        return expr.replace("$__rate_interval", f"{math.ceil(window)}s").replace("$namespace", self.namespace)

    def _get(self, path: str, parameters: dict[str, str | float]) -> list[dict[str, Any]]:
        answer = self.client.get(path, params=parameters)
        if answer.status_code == httpx.codes.BAD_REQUEST:
            self.failures.append(f"{parameters['query']}: {answer.json()['error']}")
            return []
        answer.raise_for_status()
        result: list[dict[str, Any]] = answer.json()["data"]["result"]
        return result


def _line(found: dict[str, Any], legend: str) -> Line:
    labels = {name: value for name, value in found["metric"].items() if name != "__name__"}
    points = [found["value"]] if "value" in found else found["values"]
    points = [point for point in points if point[1] != "NaN"]
    if legend and legend != "__auto":
        name = " ".join(_LABEL.sub(lambda match: labels.get(match.group(1), ""), legend).split())
    else:
        name = ", ".join(labels.values()) or found["metric"].get("__name__", "value")
    return Line(name, labels, [float(time) for time, _ in points], [float(value) for _, value in points])
