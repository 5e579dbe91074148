"""A program's key follows from its recipe, and a module of ours repeats the replacements that `go install` refuses."""

from dataclasses import replace

import pytest
from tests.e2e.cluster import golang, tools
from tests.e2e.cluster.shell import ClusterError

GO_MOD = """module example.org/thing

go 1.26.0

replace example.org/alone => example.org/fork v1.0.0

replace (
\texample.org/one => example.org/other v0.1.0 // until they release
\texample.org/two => ./local
\texample.org/three v1.0.0 => ../elsewhere
)
"""


def test_replacements_by_modules_are_repeated_and_those_by_folders_are_not() -> None:
    assert golang.replacements(GO_MOD) == [
        "example.org/one => example.org/other v0.1.0",
        "example.org/alone => example.org/fork v1.0.0",
    ]


def test_another_recipe_is_another_artefact() -> None:
    program = golang.program("kind")
    others = [
        replace(program, ldflags="-X main.version=2"),
        replace(program, version="v9.9.9"),
        replace(program, tags="x"),
    ]
    assert len({each.artefact.key for each in (program, *others)}) == 4


def test_the_same_recipe_is_the_same_artefact() -> None:
    keys = [[program.artefact.key for program in golang.PROGRAMS] for _ in range(2)]
    assert keys[0] == keys[1]
    assert len(set(keys[0])) == len(keys[0])


def test_without_go_the_message_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda _: None)
    with pytest.raises(ClusterError, match=r"https://go\.dev/dl/"):
        golang.go()


def test_an_unknown_tool_is_named_and_the_known_ones_are_listed() -> None:
    with pytest.raises(ClusterError, match=r"no program 'hlem'; there are helm, .*kind"):
        tools.tool("hlem")
