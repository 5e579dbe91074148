"""What a case acts on: the stage of the fault driver, and the cluster beside it."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kubernetes.client import V1Pod

from taskhub_local.faults.stage import Stage
from tests.e2e.argo import Argo
from tests.e2e.helm import Helm
from tests.e2e.kube import APPS, Kube, is_ready

DEPLOYMENTS = ("api", "worker", "worker-dispatcher", "sqs-consumer")
_LONGEST_WAIT_SECONDS = 180.0
LOOK_SECONDS = 0.25
"""A look costs the API server, and this process, whose event loop carries the load, some tens of milliseconds."""


@dataclass(frozen=True, slots=True)
class Scene:
    """Breaks and looks. The load goes on in this event loop, so whatever blocks goes through `do` or `until`."""

    stage: Stage
    kube: Kube
    helm: Helm
    argo: Argo | None = None
    """Where Argo CD runs the releases, which Helm must then leave alone."""

    async def do[**P, T](self, call: Callable[P, T], *arguments: P.args, **options: P.kwargs) -> T:
        """Call something that blocks."""
        return await asyncio.to_thread(call, *arguments, **options)

    async def until[T](self, condition: Callable[[], T | None], what: str, *, seconds: float | None = None) -> T:
        """Wait until the condition returns something true. Raises LocalError if it never does."""
        longest = seconds or _LONGEST_WAIT_SECONDS
        return await self.stage.until(condition, seconds=longest, what=what)

    async def until_replaced(self, former: V1Pod, app: str, namespace: str = APPS) -> float:
        """Wait until a pod is gone and as many as before are ready without it; return that time."""
        uid = former.metadata.uid

        def replaced() -> bool:
            alive = self.kube.pods(app, namespace)
            return bool(alive) and all(is_ready(pod) and pod.metadata.uid != uid for pod in alive)

        await self.until(lambda: self.kube.is_gone(former) and replaced(), f"{former.metadata.name} is replaced")
        return self.stage.heals(f"{former.metadata.name} is replaced")

    async def until_rolled_out(self, names: Sequence[str] = DEPLOYMENTS, *, seconds: float | None = None) -> None:
        """Wait until Deployments have every replica, of the newest revision."""
        for name in names:
            await self.until(
                lambda name=name: self.kube.is_rolled_out(name),
                f"{name} has every replica",
                seconds=seconds,
            )
