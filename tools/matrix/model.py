"""The shape of failure-modes.yaml: what each cell may hold, and how a missing proof is said."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

ROOT = Path(__file__).parents[2]
FILE = ROOT / "failure-modes.yaml"

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]*$")]
Name = Annotated[str, StringConstraints(min_length=2, strip_whitespace=True)]
Sentence = Annotated[str, StringConstraints(min_length=5, strip_whitespace=True)]
LineId = Annotated[str, StringConstraints(pattern=r"^\d\.\w+(\.\d+)?$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Planned(_Strict):
    """A proof that is still to come, and why it is not here. The linter counts and prints these."""

    planned: Sentence


class Without(_Strict):
    """A cell that stays empty on purpose, and why."""

    none: Sentence


Cell = Annotated[list[Name], Field(min_length=1)] | Planned | Without


class Way(StrEnum):
    """How something fails."""

    CRASH = "crash"
    KILL = "kill -9"
    FREEZE = "freeze"
    WIPE = "wipe"
    PARTITION = "partition"
    EXHAUSTION = "exhaustion"
    OVERLOAD = "overload"
    BAD_CONFIG = "bad configuration"
    BAD_INPUT = "bad input"
    UPGRADE = "upgrade"
    EXPIRY = "expiry"
    CLOCK = "clock"
    LOSS = "loss"


class Recovery(_Strict):
    """Within how many seconds it is as if nothing had been, counted from a moment."""

    seconds: Annotated[int, Field(gt=0)]
    counted_from: Name


class Row(_Strict):
    """One way in which one component fails."""

    id: Slug
    mode: Slug = Field(description="The mode whose section it stands in.")
    way: Way
    breaks: Sentence = Field(description="What happens to what.")
    seed: list[LineId] = Field(default=[], description="Lines of the first description that this row keeps.")
    impact: Sentence = Field(description="What clients see.")
    safe: Sentence = Field(description="Why nothing is lost or done twice.")
    mitigation: Sentence = Field(description="What mends it, by itself where it can.")
    recovery: Recovery | Planned | Without
    metrics: Cell
    alerts: Cell = Field(description="Those that must fire when it lasts.")
    may_fire: list[Name] = Field(default=[], description="Further alerts that may fire meanwhile; any other is wrong.")
    panels: Cell = Field(description="<dashboard>/<title of the panel>")
    runbooks: Cell | None = Field(None, description="Where it is not those of the alerts.")
    promtool: Cell = Field(description="Files of observability/rules/tests.")
    faults: Cell = Field(description="Cases of make faults, on one machine.")
    e2e: Cell = Field(description="Cases of make e2e, on a cluster.")

    @property
    def pages(self) -> list[str]:
        """The runbooks that mend it: those named, or else one an alert."""
        return names(self.alerts) if self.runbooks is None else names(self.runbooks)


class Mode(_Strict):
    """A component, or a ground that all stand on, and its section of the page."""

    id: Slug
    number: Annotated[int, Field(ge=1, le=8)] | None = Field(None, description="Its number in the first description.")
    title: Name
    clients_see: Sentence
    by_itself: Sentence = Field(description="What happens without anybody's help.")
    dashboard: Slug


class Line(_Strict):
    """A line of the first description of the failure modes."""

    id: LineId
    says: Name
    here: Sentence | None = Field(None, description="What became of it, where that is not the same.")


class Matrix(_Strict):
    """The whole file."""

    modes: list[Mode]
    may_always_fire: list[Name] = Field(description="Alerts on what clients feel: they may fire whatever failed.")
    rows: list[Row]
    seed: list[Line]


def load(path: Path = FILE) -> Matrix:
    """Read the file. Raises pydantic.ValidationError with the place of each mistake."""
    return Matrix.model_validate(yaml.load(path.read_text(), Loader=yaml.CSafeLoader))  # the quick one


def names(cell: Cell) -> list[str]:
    """What a cell names; nothing where it is planned or empty on purpose."""
    return cell if isinstance(cell, list) else []
