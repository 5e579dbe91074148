"""What a case of `make e2e` is: a fault of the driver, done to a cluster."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from taskhub_local.faults.case import Case, Check, Felt
from taskhub_local.faults.load import DEFAULT_MIX, LoadPlan
from tests.e2e.argo import Argo
from tests.e2e.helm import Helm
from tests.e2e.kube import Kube
from tests.e2e.scene import Scene

PLAN = LoadPlan(rate=5.0, pulse_writes=5.0, pulse_searches=3.0, mix=DEFAULT_MIX, import_entries=20)
"""Thirteen requests a second: two processors carry the cluster, everything in it, what watches it, and the load."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterCase:
    """One fault and its promise."""

    name: str
    breaks: str
    """One line for people: what is done to what."""
    act: Callable[[Scene], Awaitable[float]]
    """Breaks and, where it does not heal by itself, heals; returns the moment that recovery counts from."""
    felt: Felt
    budget_seconds: float
    counted_from: str
    """For people: which moment `act` returns."""
    checks: tuple[Check, ...] = ()
    settle_seconds: float = 120.0
    nodes: bool = False
    """Whether it reaches into the nodes, which must then be containers of this machine."""
    gitops: bool = False
    """Whether it needs Argo CD, which then runs the releases."""

    def on(self, kube: Kube, helm: Helm, argo: Argo | None = None) -> Case:
        """Return the case as the fault driver runs it."""
        return Case(
            name=self.name,
            breaks=self.breaks,
            act=lambda stage: self.act(Scene(stage, kube, helm, argo)),
            felt=self.felt,
            budget_seconds=self.budget_seconds,
            counted_from=self.counted_from,
            checks=self.checks,
            plan=PLAN,
            settle_seconds=self.settle_seconds,
        )
