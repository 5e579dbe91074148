"""A program's key follows from its recipe, and a module of ours repeats the replacements that `go install` refuses."""

from dataclasses import replace
from pathlib import Path

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


def test_programs_that_are_built_together_are_others_when_one_of_them_has_another_version(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = {one.name: one.artefact.key for one in golang.PROGRAMS}
    newest = {"local-path-provisioner": "v9.9.9"}
    newer = tuple(replace(one, version=newest.get(one.name, one.version)) for one in golang.PROGRAMS)
    monkeypatch.setattr(golang, "PROGRAMS", newer)
    changed = {one.name for one in newer if one.artefact.key != before[one.name]}
    assert changed == {one.name for one in golang.together()}
    assert {"hk", "traefik", "coredns"} <= changed


def test_folders_of_kubernetes_own_repository_become_the_modules_that_are_published() -> None:
    go_mod = "replace (\n\tk8s.io/api => ./staging/src/k8s.io/api\n\texample.org/a => ./b\n)\n"
    assert golang.published(go_mod, "v1.36.3") == ["k8s.io/api => k8s.io/api v0.36.3"]


def test_a_patch_that_no_longer_fits_is_named(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "main.go").write_text("package main\n")
    program = replace(golang.program("traefik"), patches=(("main.go", "func gone()", ""),))
    with pytest.raises(ClusterError, match=r"traefik .*main\.go has changed"):
        golang.write_patched(program, source, tmp_path / "copy")


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
