"""The picture of the report can be drawn, of cases that did well and of such that never recovered."""

from dataclasses import replace
from pathlib import Path

from tests.e2e.outcome import Rate, broken
from tests.e2e.picture import draw


def test_the_picture_is_a_png_with_every_case_in_it(tmp_path: Path) -> None:
    bad = broken("bad", "a thing", 5, "the kill", why="nobody answered", seconds=1)
    good = replace(bad, case="good", measured_seconds=0.0, failures=(), rates=(Rate(-1, 9, 0), Rate(0, 1, 8)))
    path = tmp_path / "report.png"
    draw(path, [bad, good, *(replace(good, case=f"more_{number}") for number in range(6))])
    assert path.read_bytes().startswith(b"\x89PNG")
