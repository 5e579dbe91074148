"""The ingress controller goes away, sends requests nowhere, and its certificate is wrong (failure mode 7)."""

import asyncio
import time
from datetime import timedelta

from taskhub_local.authority import new_authority
from taskhub_local.errors import LocalError
from taskhub_local.faults.case import Felt
from taskhub_local.faults.checks import never_internal
from taskhub_local.faults.client import HttpCall
from tests.e2e.case import ClusterCase
from tests.e2e.certificates import SECRET, complaint, read_authority
from tests.e2e.cluster.paths import STATE
from tests.e2e.kube import INGRESS
from tests.e2e.reach import HOST, front
from tests.e2e.scene import Scene

_CONTROLLER = "traefik"
_INGRESS = "api"
_SEEN_SECONDS = 60.0
_BETWEEN_SECONDS = 0.2


async def delete_controller(scene: Scene) -> float:
    """Delete the only pod of the ingress controller: nobody answers until the next one does."""
    pod = await scene.do(scene.kube.a_pod, _CONTROLLER, INGRESS)
    since = scene.stage.breaks(f"delete {pod.metadata.name}")
    await scene.do(scene.kube.delete_pod, pod)
    await scene.until_replaced(pod, _CONTROLLER, INGRESS)
    return since


async def wrong_certificate(scene: Scene) -> float:
    """Put a certificate into the ingress's Secret that nobody trusts."""
    return await _replaced(scene, new_authority().issue((HOST,)), "a certificate of an authority that nobody trusts")


async def expired_certificate(scene: Scene) -> float:
    """Put a certificate into the ingress's Secret that ended an hour ago."""
    authority = await scene.do(read_authority, STATE / "ca.crt", STATE / "ca.key")
    return await _replaced(scene, authority.issue((HOST,), valid_for=-timedelta(hours=1)), "an expired certificate")


async def _replaced(scene: Scene, bad: dict[str, str], what: str) -> float:
    """Change the Secret; see new clients complain; change it back, and see them content."""
    good = await scene.do(scene.kube.secret, SECRET)
    context = front(await scene.do((STATE / "ca.crt").read_text)).tls
    began = scene.stage.breaks(f"the ingress gets {what}")
    await scene.do(scene.kube.set_secret, SECRET, bad)
    try:
        said = await scene.until(lambda: complaint(context), "a new client complains", seconds=_SEEN_SECONDS)
        detected = scene.stage.heals(f"a new client complains: {said}")
        scene.stage.notes.append(f"detected after {detected - began:.1f} s: {said}")
    finally:
        await scene.do(scene.kube.set_secret, SECRET, {name: good[name] for name in bad})
    since = scene.stage.heals("the Secret is rolled back")
    await scene.until(lambda: not complaint(context), "new clients are content", seconds=_SEEN_SECONDS)
    scene.stage.recovered("new clients are content")
    return since


async def wrong_target(scene: Scene) -> float:
    """Let the Ingress name a Service that does not exist; the ingress itself answers until it is put right."""
    service = await scene.do(scene.kube.ingress_target, _INGRESS)
    call = HttpCall("GET", "/readyz")

    async def until_answer(*, good: bool) -> None:
        """Wait until new requests reach the API, or no longer do."""
        deadline = time.monotonic() + _SEEN_SECONDS
        while (answer := await scene.stage.client.raw(call)).is_success is not good:
            if time.monotonic() > deadline:
                raise LocalError(f"the ingress still answers {answer.status_code} after {_SEEN_SECONDS:g} s")
            await asyncio.sleep(_BETWEEN_SECONDS)

    scene.stage.breaks("the Ingress names a Service that does not exist")
    await scene.do(scene.kube.set_ingress_target, _INGRESS, "nobody")
    try:
        await until_answer(good=False)
        await scene.stage.last(5)
    finally:
        await scene.do(scene.kube.set_ingress_target, _INGRESS, service)
    return scene.stage.heals("the Ingress is rolled back")


CASES = (
    ClusterCase(
        name="ingress_deleted",
        breaks="the ingress controller's only pod deleted",
        act=delete_controller,
        felt=Felt.WRITES,
        budget_seconds=45,
        counted_from="the deletion",
        checks=(never_internal,),
    ),
    ClusterCase(
        name="ingress_misconfigured",
        breaks="an Ingress that names a Service which does not exist",
        act=wrong_target,
        felt=Felt.WRITES,
        budget_seconds=15,
        counted_from="the rollback",
        checks=(never_internal,),
    ),
    ClusterCase(
        name="tls_secret_wrong",
        breaks="the ingress's certificate from an authority that nobody trusts",
        act=wrong_certificate,
        felt=Felt.MARKED,
        budget_seconds=30,
        counted_from="the rollback",
    ),
    ClusterCase(
        name="tls_certificate_expired",
        breaks="the ingress's certificate expired",
        act=expired_certificate,
        felt=Felt.MARKED,
        budget_seconds=30,
        counted_from="the rollback",
    ),
)
