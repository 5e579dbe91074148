"""Alerts are asked of both Prometheus: one may be away."""

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import httpx
import pytest
from tests.e2e import watch

from taskhub_local.ports import HOST, any_free


@contextmanager
def prometheus(*alerts: str) -> Iterator[str]:
    """Answers every question with these alerts."""
    series: Sequence[dict[str, Any]] = [{"metric": {"alertname": alert}, "values": [[110, "1"]]} for alert in alerts]
    rules = [{"name": alert} for alert in alerts]
    body = json.dumps({"data": {"result": series, "groups": [{"rules": rules}]}}).encode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - http.server's name
            """The test says what it needs."""

    with HTTPServer((HOST, 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://{HOST}:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def away() -> str:
    return f"http://{HOST}:{any_free()}"


def test_what_either_knows_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    with prometheus("ApiDown") as one, prometheus("ApiDown", "RedisDown") as other:
        monkeypatch.setattr(watch, "PROMETHEUS", (one, other))
        assert watch.firing() == {"ApiDown", "RedisDown"}
        assert [fired.alert for fired in watch.fired(100, 120)] == ["ApiDown", "RedisDown"]


@pytest.mark.parametrize("first_is_away", [True, False])
def test_one_that_is_away_does_not_end_the_watch(monkeypatch: pytest.MonkeyPatch, first_is_away: bool) -> None:
    with prometheus("ApiDown") as one:
        monkeypatch.setattr(watch, "PROMETHEUS", (away(), one) if first_is_away else (one, away()))
        assert watch.is_there()
        assert watch.firing() == {"ApiDown"}


def test_nothing_watches_where_both_are_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "PROMETHEUS", (away(), away()))
    assert not watch.is_there()
    with pytest.raises(httpx.ConnectError):
        watch.firing()


def test_rules_are_known_when_both_have_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "_RULES_SECONDS", 0.0)
    with prometheus("ApiDown", "RedisDown") as one, prometheus("ApiDown") as new:
        monkeypatch.setattr(watch, "PROMETHEUS", (one, new))
        watch.until_known({"ApiDown"})
        with pytest.raises(AssertionError, match=f"{new} has every rule"):
            watch.until_known({"ApiDown", "RedisDown"})


def test_one_that_does_not_answer_knows_no_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "_RULES_SECONDS", 0.0)
    with prometheus("ApiDown") as one:
        monkeypatch.setattr(watch, "PROMETHEUS", (one, away()))
        with pytest.raises(AssertionError, match="in vain"):
            watch.until_known({"ApiDown"})
