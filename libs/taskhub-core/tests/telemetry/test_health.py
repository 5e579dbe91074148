"""The health server, the progress stamp, and tracing to a collector that is away."""

import json
import threading
import time
from collections.abc import Iterator
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from opentelemetry import trace
from opentelemetry.util._once import Once
from prometheus_client import CollectorRegistry, Gauge

from taskhub_core.settings import TelemetrySettings
from taskhub_core.telemetry import context, tracing
from taskhub_core.telemetry.health import HealthServer, ProgressStamp
from taskhub_local.ports import any_free


class Clock:
    """A clock that the test sets."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


class Probed:
    """A health server whose checks say what the test sets."""

    def __init__(self) -> None:
        self.live: str | None = None
        self.ready: str | None = None
        self.scrapes = 0
        registry = CollectorRegistry()
        Gauge("answer", "Of everything.", registry=registry).set(42)
        self.server = HealthServer(
            "127.0.0.1",
            0,
            live=lambda: self.live,
            ready=lambda: self.ready,
            registry=registry,
            before_scrape=self._count,
        )

    def _count(self) -> None:
        self.scrapes += 1

    def get(self, path: str) -> tuple[int, str]:
        try:
            with urlopen(f"http://127.0.0.1:{self.server.port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except HTTPError as refused:
            with refused:
                return refused.code, refused.read().decode()


@pytest.fixture
def probed() -> Iterator[Probed]:
    probed = Probed()
    probed.server.start()
    yield probed
    probed.server.stop()


def test_a_stamp_is_well_while_it_is_young() -> None:
    clock = Clock()
    stamp = ProgressStamp("claiming", max_age_seconds=30, clock=clock)
    clock.now += 30
    assert stamp.check() is None
    clock.now += 1
    assert stamp.check() == "the claiming loop made no progress for 31 s"
    stamp.touch()
    assert stamp.check() is None


def test_probes_say_what_is_wrong(probed: Probed) -> None:
    for path in ("/livez", "/readyz", "/startupz", "/livez?verbose"):
        assert probed.get(path) == (200, "ok\n")
    probed.live = "the loop is stuck"
    assert probed.get("/livez") == (503, "the loop is stuck\n")
    assert probed.get("/readyz")[0] == 200
    probed.ready = "draining"
    assert probed.get("/readyz") == (503, "draining\n")


def test_metrics_are_there_and_nothing_else(probed: Probed) -> None:
    status, text = probed.get("/metrics")
    assert (status, probed.scrapes) == (200, 1)
    assert "answer 42.0" in text
    assert probed.get("/")[0] == 404
    assert probed.get("/../etc/passwd")[0] == 404


def test_probes_are_answered_while_the_main_thread_is_busy(probed: Probed) -> None:
    """A main loop that is merely late is not dead: the stamp says when it is."""
    clock = Clock()
    stamp = ProgressStamp("event", max_age_seconds=30, clock=clock)
    answers: list[int] = []

    def ask() -> None:
        for _ in range(3):
            probed.live = stamp.check()
            answers.append(probed.get("/livez")[0])
            clock.now += 20

    asking = threading.Thread(target=ask)
    asking.start()
    until = time.monotonic() + 30
    while asking.is_alive() and time.monotonic() < until:
        json.dumps(list(range(10_000)))  # never lets go by itself
    asking.join(5)
    assert answers == [200, 200, 503]


def test_a_collector_that_is_away_holds_nothing_up(monkeypatch: pytest.MonkeyPatch) -> None:
    # The provider is global and is set once in a process; other tests have theirs.
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", None)
    monkeypatch.setattr(trace, "_TRACER_PROVIDER_SET_ONCE", Once())
    provider = tracing.configure(
        TelemetrySettings(otel_endpoint=f"http://127.0.0.1:{any_free()}"), service="taskhub-test", version="0"
    )
    assert provider is not None
    started = time.monotonic()
    tracer = provider.get_tracer("test")
    for _ in range(5_000):  # more than its queue holds
        with tracer.start_as_current_span("span"):
            pass
    assert time.monotonic() - started < 10
    with tracer.start_as_current_span("request") as span:
        carried = context.outgoing()
    assert carried["traceparent"].split("-")[1] == f"{span.get_span_context().trace_id:032x}"
    with context.incoming(carried, span="job"):
        assert trace.get_current_span().get_span_context().trace_id == span.get_span_context().trace_id
    started = time.monotonic()
    provider.shutdown()
    assert time.monotonic() - started < 15


def test_without_an_endpoint_there_is_no_tracing() -> None:
    assert tracing.configure(TelemetrySettings(), service="taskhub-test", version="0") is None
