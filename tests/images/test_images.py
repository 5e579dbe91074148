"""What every image promises: small, without rights, complete, and nothing in it that was not locked."""

import re
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.images.container import inspect, python, run

# The images may have to be built first, which takes minutes and is not a test's own time.
pytestmark = [pytest.mark.images, pytest.mark.timeout(300, func_only=True)]

_ROOT = Path(__file__).parents[2]
_LIMIT_BYTES = 250_000_000
_PYTHON_OF_IMAGES = {"python_version": "3.13", "python_full_version": "3.13.0", "sys_platform": "linux"}


def test_it_is_small(tag: str) -> None:
    assert inspect(tag)["Size"] < _LIMIT_BYTES


def test_it_runs_as_nobody_special_and_without_a_shell(tag: str, name: str) -> None:
    config = inspect(tag)["Config"]
    assert config["User"] == "10001:10001"
    assert config["Entrypoint"][0].startswith("/app/bin/")
    assert config["StopSignal"] == "SIGTERM"
    assert config["Labels"]["org.opencontainers.image.title"] == name
    for label in ("description", "version", "revision", "created", "base.name"):
        assert config["Labels"][f"org.opencontainers.image.{label}"]


def test_it_tells_its_version_with_a_read_only_root_and_no_capability(tag: str, name: str) -> None:
    assert re.fullmatch(rf"{name} \d+\.\d+\.\d+", run(tag, "--version").strip())


def test_the_dispatcher_is_in_the_workers_image(tags: dict[str, str]) -> None:
    said = run(tags["taskhub-worker"], "--version", entrypoint="/app/bin/taskhub-dispatcher")
    assert said.startswith("taskhub-dispatcher ")


def test_it_has_exactly_what_is_locked_and_its_own_packages(tag: str, name: str, members: set[str]) -> None:
    code = (
        "import importlib.metadata, json, sysconfig\n"
        "found = importlib.metadata.distributions(path=[sysconfig.get_path('purelib')])\n"
        "print(json.dumps({each.name: each.version for each in found}))"
    )
    installed = {canonicalize_name(each): version for each, version in python(tag, code).items()}
    assert installed.keys() - members == _locked(name).keys()
    assert {each: version for each, version in installed.items() if each not in members} == _locked(name)
    assert members <= installed.keys()


def test_every_module_of_ours_can_be_imported_there(tag: str, name: str, members: set[str]) -> None:
    # The sink is a part of taskhub-local: only what it runs is there.
    packages = ["taskhub_local"] if name == "taskhub-sink" else [each.replace("-", "_") for each in sorted(members)]
    code = (
        "import importlib, json, pkgutil\n"
        f"roots = [importlib.import_module(name) for name in {packages!r}]\n"
        "found = [m.name for root in roots for m in pkgutil.walk_packages(root.__path__, root.__name__ + '.')"
        " if not m.name.endswith('__main__')]\n"
        # Alembic runs these itself, in a context of its own.
        "names = [name for name in found if '.migrations' not in name]\n"
        "[importlib.import_module(name) for name in names]\n"
        "print(json.dumps(names))"
    )
    assert len(python(tag, code)) > 3


def test_it_holds_the_environment_and_nothing_of_how_it_was_made(tag: str) -> None:
    code = (
        "import importlib.util, json, pathlib\n"
        "there = [p for p in ('/src', '/build', '/wheels', '/app/bin/pip') if pathlib.Path(p).exists()]\n"
        "sources = list(pathlib.Path('/app/lib').rglob('*.py'))\n"
        "raw = [str(s) for s in sources if not pathlib.Path(importlib.util.cache_from_source(s)).exists()]\n"
        "print(json.dumps({'there': there, 'uncompiled': raw}))"
    )
    assert python(tag, code) == {"there": [], "uncompiled": []}


def test_nothing_of_the_standard_library_is_compiled_at_each_start(tag: str) -> None:
    # The root is read-only: what has no bytecode in the image is compiled again by every process.
    code = (
        "import importlib.util, json, pathlib, sysconfig\n"
        "library = pathlib.Path(sysconfig.get_path('stdlib'))\n"
        "sources = [s for folder in ('.', 'asyncio', 'email', 'logging') for s in (library / folder).glob('*.py')]\n"
        "raw = [str(s) for s in sources if not pathlib.Path(importlib.util.cache_from_source(s)).exists()]\n"
        "print(json.dumps({'sources': len(sources) > 100, 'uncompiled': raw}))"
    )
    assert python(tag, code) == {"sources": True, "uncompiled": []}


def _locked(name: str) -> dict[str, str]:
    """The packages that the image's lock gives to Linux, and their versions."""
    text = (_ROOT / "requirements" / f"{name.removeprefix('taskhub-')}.txt").read_text()
    found: dict[str, str] = {}
    for line in text.splitlines():
        if line and not line.startswith((" ", "#")):
            requirement = Requirement(line.removesuffix("\\").strip())
            if requirement.marker is None or requirement.marker.evaluate(_PYTHON_OF_IMAGES):
                found[canonicalize_name(requirement.name)] = str(requirement.specifier).removeprefix("==")
    return found
