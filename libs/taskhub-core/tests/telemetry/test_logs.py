"""Log lines: JSON, with the ids of their story, and without secrets."""

import io
import json
import logging
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog

from taskhub_core.settings import TelemetrySettings
from taskhub_core.telemetry import context, logs

SECRET = "marker-that-must-stay-secret"


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """What was written since the last look."""
    root = logging.getLogger()
    handlers, level, before = root.handlers[:], root.level, structlog.get_config()
    output = io.StringIO()
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", output)
        logs.configure(TelemetrySettings(log_level="debug", environment="test"), service="taskhub-test")

    def look() -> list[dict[str, Any]]:
        written = output.getvalue()
        output.seek(0)
        output.truncate()
        return [json.loads(line) for line in written.splitlines()]

    yield look
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.configure(**before)


def test_both_kinds_of_loggers_write_the_same_kind_of_line(lines: Callable[[], list[dict[str, Any]]]) -> None:
    structlog.get_logger("one").info("it happened", number=1)
    logging.getLogger("two").warning("so did %s", "this")
    first, second = lines()
    assert (first["event"], first["number"], first["level"], first["logger"]) == ("it happened", 1, "info", "one")
    assert (second["event"], second["level"], second["logger"]) == ("so did this", "warning", "two")
    for line in (first, second):
        assert (line["service"], line["environment"]) == ("taskhub-test", "test")
        assert line["timestamp"].endswith("Z")


@pytest.mark.parametrize(
    "field",
    ["password", "new_password", "refresh_token", "Authorization", "api_key", "client_secret", "body", "payload"],
)
def test_fields_that_speak_of_secrets_or_bodies_are_hidden(
    lines: Callable[[], list[dict[str, Any]]], field: str
) -> None:
    structlog.get_logger("x").info("login", **{field: SECRET}, kept="yes")
    (line,) = lines()
    assert (line[field], line["kept"]) == (logs.HIDDEN, "yes")


def test_a_traceback_shows_where_and_no_values(lines: Callable[[], list[dict[str, Any]]]) -> None:
    def fail(password: str) -> None:
        raise ValueError(f"bad length {len(password)}")

    try:
        fail(SECRET)
    except ValueError:
        structlog.get_logger("x").exception("failed")
        logging.getLogger("y").exception("failed too")
    written = json.dumps(lines())
    assert SECRET not in written
    assert "bad length" in written
    assert "test_logs.py" in written


def test_what_is_bound_is_on_every_line_of_the_block(lines: Callable[[], list[dict[str, Any]]]) -> None:
    with context.bound(request_id="r-1"):
        structlog.get_logger("x").info("inside")
        logging.getLogger("y").info("inside too")
        carried = context.outgoing()
    structlog.get_logger("x").info("outside")
    inside, also, outside = lines()
    assert inside["request_id"] == also["request_id"] == "r-1"
    assert "request_id" not in outside
    assert carried == {"request_id": "r-1"}
    with context.incoming({**carried, "unknown": "dropped"}, span="job", job_id="j-1"):
        structlog.get_logger("x").info("later")
    (later,) = lines()
    assert (later["request_id"], later["job_id"]) == ("r-1", "j-1")
    assert "unknown" not in later
