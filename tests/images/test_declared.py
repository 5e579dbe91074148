"""Every package declares what it imports: nothing may be in an image only because something else happens to need it."""

import ast
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

_ROOT = Path(__file__).parents[2]
_CORE = _ROOT / "libs/taskhub-core"
# Halves of a package: pinned by the other half and released with it, so that naming them would only add a conflict.
_HALVES = {
    "boto3": {"botocore"},
    "celery": {"billiard", "vine"},
    "elasticsearch": {"elastic-transport"},
    "fastapi": {"starlette"},
    "pydantic": {"pydantic-core"},
}


@pytest.mark.parametrize("folder", ["libs/taskhub-core", "apps/api", "apps/worker", "apps/sqs-consumer"])
def test_a_package_imports_only_what_it_declares(folder: str) -> None:
    member = _ROOT / folder
    allowed = _declared(member)
    if "taskhub-core" in allowed:  # what every app stands on comes through core
        allowed |= _declared(_CORE)
    allowed |= {half for whole, halves in _HALVES.items() if whole in allowed for half in halves}
    own = {path.name for path in (member / "src").iterdir()}
    distributions = packages_distributions()
    undeclared = {
        f"{name} ({path.relative_to(_ROOT)})"
        for path in sorted((member / "src").rglob("*.py"))
        for name in _imported(path) - own - sys.stdlib_module_names
        if not allowed & {canonicalize_name(each) for each in distributions.get(name, [name])}
    }
    assert undeclared == set()


def _declared(member: Path) -> set[str]:
    project = tomllib.loads((member / "pyproject.toml").read_text())["project"]
    return {str(canonicalize_name(Requirement(each).name)) for each in project["dependencies"]}


def _imported(path: Path) -> set[str]:
    """The top-level packages that a file imports when it runs, not those that only a type checker reads."""
    tree = ast.parse(path.read_text())
    unread = {id(inner) for node in ast.walk(tree) if _is_for_types(node) for inner in ast.walk(node)}
    found = set()
    for node in ast.walk(tree):
        if id(node) in unread:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


def _is_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
