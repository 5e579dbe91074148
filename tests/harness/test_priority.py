"""The driver prefers itself while it measures, and gives that up again."""

import os
from pathlib import Path

import pytest
from tests.e2e.priority import preferred

_AUTOGROUP = Path("/proc/self/autogroup")


def _now() -> tuple[int, str]:
    group = _AUTOGROUP.read_text().rpartition(" ")[2].strip() if _AUTOGROUP.exists() else ""
    return os.getpriority(os.PRIO_PROCESS, 0), group


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may")
def test_the_process_and_its_session_are_preferred_and_then_no_more() -> None:
    before = _now()
    with preferred():
        niceness, group = _now()
        assert niceness == -10
        assert group in ("", "-10")
    assert _now() == before


def test_whoever_may_not_goes_on_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: int) -> None:
        raise PermissionError

    before = _now()
    monkeypatch.setattr(os, "setpriority", refuse)
    with preferred():
        assert _now() == before
