"""The version file of an environment: the revision of charts and values, and the tag of each image."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml
from tools.promote.errors import PromotionError

ENVS = Path("argocd") / "envs"
_TAG = re.compile(r"v\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?")


@dataclass(frozen=True)
class Version:
    """What an environment runs."""

    revision: str
    images: Mapping[str, str]

    @property
    def is_pinned(self) -> bool:
        """Whether the revision is a release's tag and no branch."""
        return _TAG.fullmatch(self.revision) is not None


def path_of(environment: str) -> Path:
    """The version file, from the repository's root."""
    return ENVS / environment / "version.yaml"


def environments(root: Path) -> list[str]:
    """The environments of the repository."""
    return sorted(path.parent.name for path in (root / ENVS).glob("*/version.yaml"))


def read(text: str, path: Path) -> Version:
    """Parse a version file. Raises PromotionError if it is none."""
    try:
        found = yaml.safe_load(text)
        return Version(str(found["revision"]), {str(name): str(tag) for name, tag in found["images"].items()})
    except (yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        raise PromotionError(f"{path} is no version file, it needs a revision and images: {error}") from error
