"""The threat model names, for every boundary and each kind of threat, what holds it; and all that it names is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "SECURITY.md").read_text()
_TOP = {path.name for path in ROOT.iterdir()}
_NAMED = re.compile(r"`([\w./-]+?)(?:::(\w+))?`")

BOUNDARIES = re.findall(r"^### \d\. (.+?)\n(.*?)(?=^##)", TEXT, re.MULTILINE | re.DOTALL)


def named(text: str) -> list[tuple[str, str]]:
    """The paths that a text names, each with the test in it that it names, if any."""
    return [(path, test) for path, test in _NAMED.findall(text) if path.split("/")[0] in _TOP]


def rows(text: str) -> list[tuple[str, str, str]]:
    """The letter, the threat and what holds it, of each row of a boundary's table."""
    return re.findall(r"^\| ([STRIDE]) \| (.+?) \| (.+) \|$", text, re.MULTILINE)


def test_every_path_that_is_named_exists() -> None:
    assert len(named(TEXT)) > 60
    assert [path for path, _ in named(TEXT) if not (ROOT / path).exists()] == []


def test_every_test_that_is_named_exists() -> None:
    tests = [(path, test) for path, test in named(TEXT) if test]
    assert len(tests) > 40
    missing = [
        f"{path}::{test}"
        for path, test in tests
        if not re.search(rf"^(?:async )?def {test}\(", (ROOT / path).read_text(), re.MULTILINE)
    ]
    assert missing == []


def test_there_are_eight_boundaries() -> None:
    assert len(BOUNDARIES) == 8


@pytest.mark.parametrize(("boundary", "text"), BOUNDARIES, ids=[boundary for boundary, _ in BOUNDARIES])
def test_every_boundary_is_looked_at_for_each_kind_of_threat(boundary: str, text: str) -> None:
    assert [letter for letter, _, _ in rows(text)] == sorted((row[0] for row in rows(text)), key="STRIDE".index)
    assert {letter for letter, _, _ in rows(text)} == set("STRIDE")
    for _, threat, held_by in rows(text):
        named_in_settings = re.search(r"`TASKHUB_\w+`", held_by)
        assert named(held_by) or named_in_settings, f"{threat}: nothing is named that holds it"


def test_a_metric_that_is_named_is_one_of_ours() -> None:
    metrics = re.findall(r"`(taskhub_\w+_total)`", TEXT)
    assert metrics
    source = (ROOT / "libs/taskhub-core/src/taskhub_core/telemetry/metrics.py").read_text()
    assert [
        metric
        for metric in metrics
        if f'"{metric}"' not in source and f'"{metric.removesuffix("_total")}"' not in source
    ] == []


def test_a_report_has_somewhere_private_to_go() -> None:
    assert re.search(r"^## Report a vulnerability\n+Report it privately", TEXT, re.MULTILINE)
    assert "## Supported versions" in TEXT
    assert "## What is accepted" in TEXT
