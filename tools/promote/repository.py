"""The Git repository: what is not committed, which tags there are, and the files at a tag."""

import io
import subprocess
import tarfile
from pathlib import Path

from tools.promote.errors import PromotionError

# What rendering needs: the charts, what their links lead to, and the values.
_FOLDERS = ("charts", "observability", "argocd")


class Repository:
    """A clone. Raises PromotionError with what Git said where Git fails."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def demand_committed(self, path: Path) -> None:
        """Raises PromotionError if a file differs from the last commit."""
        if self._git("status", "--porcelain", "--", str(path)):
            raise PromotionError(
                f"{path} has changes that are not committed. Commit them, or drop them with: git restore {path}"
            )

    def demand_tag(self, tag: str, environment: str) -> None:
        """Raises PromotionError if this clone has no such tag."""
        if not self._git("tag", "--list", tag):
            raise PromotionError(
                f"{environment} runs {tag}, and this clone has no such tag. Get it with: git fetch --tags"
            )

    def export(self, tag: str, folder: Path) -> Path:
        """Write the files of a tag into a folder of its own below `folder`, and return it."""
        target = folder / tag
        if not target.exists():
            present = self._git("ls-tree", "--name-only", tag).decode().split()
            archive = self._git("archive", tag, *(name for name in _FOLDERS if name in present))
            with tarfile.open(fileobj=io.BytesIO(archive)) as files:
                files.extractall(target, filter="data")
        return target

    def _git(self, *arguments: str) -> bytes:
        command = ["git", "-C", str(self.root), *arguments]
        try:
            result = subprocess.run(command, capture_output=True, timeout=60, check=False)
        except FileNotFoundError as error:
            raise PromotionError("git is not installed") from error
        if result.returncode != 0:
            raise PromotionError(f"git {arguments[0]}: {result.stderr.decode().strip()}")
        return result.stdout
