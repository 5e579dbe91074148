"""Reads the runbooks: their sections, links and the commands to paste."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "observability" / "runbooks"
FIRST = "first-ten-minutes"


@dataclass(frozen=True)
class Runbook:
    """One page."""

    path: Path

    @cached_property
    def text(self) -> str:
        """The whole of it."""
        return self.path.read_text()

    @property
    def name(self) -> str:
        """The alert that it is about."""
        return self.path.stem

    @cached_property
    def sections(self) -> dict[str, str]:
        """What stands under each heading."""
        parts = re.split(r"^## (.+)$", self.text, flags=re.MULTILINE)
        return {title.strip(): body.strip() for title, body in zip(parts[1::2], parts[2::2], strict=True)}

    @cached_property
    def blocks(self) -> list[str]:
        """Its fenced blocks of shell."""
        return blocks(self.text)

    @cached_property
    def links(self) -> list[str]:
        """Where its links lead."""
        return re.findall(r"\]\(([^)\s]+)\)", self.text)

    @property
    def commands(self) -> Iterator[str]:
        """Each line of each block that is a command."""
        for block in self.blocks:
            yield from (line for line in block.splitlines() if line.strip() and not line.startswith("#"))


def blocks(text: str) -> list[str]:
    """The fenced blocks of shell in a piece of a page."""
    return re.findall(r"^```sh\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


def runbooks() -> list[Runbook]:
    """Every page, by name."""
    return [Runbook(path) for path in sorted(FOLDER.glob("*.md"))]


def without_placeholders(command: str) -> str:
    """The command as the shell would see it once somebody filled in <pod>, <host> and the like."""
    return re.sub(r"<[a-z_]+>", "something", command)
