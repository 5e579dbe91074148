"""What a case is: a fault, what must work again afterwards, how soon, and what must have held all the while."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from taskhub_local.faults.client import Call
from taskhub_local.faults.load import DEFAULT_MIX, LoadPlan
from taskhub_local.faults.recovery import Probe

if TYPE_CHECKING:
    from taskhub_local.faults.stage import Stage


class Felt(StrEnum):
    """What recovery is measured by."""

    WRITES = "writes"
    """The steady pulse of POST /v1/tasks: answered 2xx."""
    SEARCHES = "searches"
    """The steady pulse of GET /v1/search: answered by Elasticsearch."""
    JOBS = "jobs"
    """Every short job: its effect committed as promptly as before the fault."""
    EVENTS = "events"
    """Every change of a task: in the feed as promptly as before the fault."""
    MARKED = "marked"
    """The case itself sees the moment."""


class Need(StrEnum):
    """What a case cannot do without."""

    KINDS = "the fault driver's job kinds"
    ELASTICSEARCH = "Elasticsearch"
    HOST = "the platform of `make faults`"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What a run saw, for checks to look at."""

    began_at: float
    """When the fault began (Unix time, as all times)."""
    since: float
    """The moment that recovery counts from."""
    ended_at: float
    """When the load ended."""
    writes: Sequence[Call]
    searches: Sequence[Call]
    calls: Sequence[Call]
    """Every request, those two included."""
    jobs: Sequence[Probe]
    events: Sequence[Probe]
    fenced_writes: float
    """Writes of workers that had lost their job, which touched 0 rows."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check has to say: a complaint, or a note for the report, or nothing."""

    complaint: str = ""
    note: str = ""


type Check = Callable[[Evidence], Checked]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One fault. `act` breaks and, where it does not heal by itself, heals; it returns the moment that counts."""

    name: str
    breaks: str
    """One line for people: what is done to what."""
    act: "Callable[[Stage], Awaitable[float]]"
    felt: Felt
    budget_seconds: float
    counted_from: str
    """For people: which moment `act` returns."""
    checks: tuple[Check, ...] = ()
    needs: frozenset[Need] = frozenset()
    quick: bool = False
    """Whether CI runs it."""
    by_chance: bool = True
    """Whether the soak may pick it."""
    plan: LoadPlan = field(default_factory=LoadPlan)
    settle_seconds: float = 90.0
    """How long everything accepted may take to be done after the load has ended."""

    def mix(self, *, kinds: bool) -> Mapping[str, int]:
        """The load's mix, without what the platform does not know."""
        unknown = set() if kinds else {"effect", "steps"}
        return {name: share for name, share in (self.plan.mix or DEFAULT_MIX).items() if name not in unknown}
