"""One promotion: what it changes in the cluster, and the change of the one file that makes it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml
from tools.promote.applications import generate
from tools.promote.difference import difference
from tools.promote.errors import PromotionError
from tools.promote.rendering import render
from tools.promote.repository import Repository
from tools.promote.version import Version, environments, path_of, read

_APPLICATION_SETS = "argocd/apps"


@dataclass(frozen=True)
class Promotion:
    """What one environment runs, and what it is to run from now on."""

    root: Path
    source: str
    target: str
    before: Version
    after: Version
    text: str

    @property
    def path(self) -> Path:
        """The one file that changes, from the repository's root."""
        return path_of(self.target)

    def write(self) -> None:
        """Change the version file."""
        (self.root / self.path).write_text(self.text)


def prepare(root: Path, source: str, target: str) -> Promotion:
    """Look whether this promotion can be made. Raises PromotionError if not, with what to do."""
    known = environments(root)
    for environment in (source, target):
        if environment not in known:
            raise PromotionError(f"there is no environment {environment!r}: there are {', '.join(known)}")
    if source == target:
        raise PromotionError(f"{source} cannot be promoted to itself: name two environments")
    repository = Repository(root)
    versions = []
    for environment in (source, target):
        path = path_of(environment)
        repository.demand_committed(path)
        version = read((root / path).read_text(), path)
        if not version.is_pinned:
            raise PromotionError(
                f"{environment} runs {version.revision}, which is no release's tag (v1.2.3): "
                "only a tag can be promoted, and only where another tag runs"
            )
        versions.append(version)
    after, before = versions
    return Promotion(root, source, target, before, after, (root / path_of(source)).read_text())


def changes(promotion: Promotion) -> list[str]:
    """The difference that a promotion makes to the rendered manifests.

    Raises PromotionError if this clone lacks one of the two tags, or if Helm refuses.
    """
    repository = Repository(promotion.root)
    repository.demand_tag(promotion.before.revision, promotion.target)
    repository.demand_tag(promotion.after.revision, promotion.source)
    with TemporaryDirectory(prefix="taskhub-promote-") as folder:
        trees = [repository.export(version.revision, Path(folder)) for version in (promotion.before, promotion.after)]
        was = _objects(promotion, trees[0], (promotion.root / promotion.path).read_text())
        becomes = _objects(promotion, trees[1], promotion.text)
    return list(difference(was, becomes))


def _objects(promotion: Promotion, tree: Path, version: str) -> dict[str, dict[str, Any]]:
    """Everything that the target runs, from the charts of a tag and with a version file's text."""
    found: dict[str, dict[str, Any]] = {}
    for path in sorted((promotion.root / _APPLICATION_SETS).glob("*.yaml")):
        application_set = yaml.safe_load(path.read_text())
        for application in generate(application_set, promotion.target, _reader(promotion, version)):
            found |= render(application, tree)
    return found


def _reader(promotion: Promotion, version: str) -> Callable[[str], str]:
    def read_file(path: str) -> str:
        return version if path == str(promotion.path) else (promotion.root / path).read_text()

    return read_file
