"""The report says how fast its machine was."""

from pathlib import Path

import pytest

from taskhub_local.faults.machine import Machine, Waiting, in_words, work_seconds


def pressure(path: Path, microseconds: int) -> Path:
    path.write_text(
        f"some avg10=1.94 avg60=29.88 avg300=34.24 total={microseconds}\n"
        "full avg10=0.00 avg60=0.00 avg300=0.00 total=0\n"
    )
    return path


def test_the_fixed_calculation_takes_its_time() -> None:
    assert 0.02 < work_seconds() < 60


def test_the_share_is_of_the_time_since_it_was_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("taskhub_local.faults.machine.time.monotonic", lambda: now)
    waiting = Waiting(pressure(tmp_path / "cpu", 7_000_000))
    pressure(tmp_path / "cpu", 12_000_000)
    now = 120.0
    assert waiting.share() == pytest.approx(0.25)


@pytest.mark.parametrize("content", [None, ""])
def test_a_kernel_that_does_not_say_gives_no_share(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "cpu"
    if content is not None:
        path.write_text(content)
    assert Waiting(path).share() is None
    assert in_words(Machine(0.4, None)) == "0.40 s"
