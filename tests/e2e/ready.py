"""Whether the cluster is well: a case begins from there, or says why it cannot."""

import asyncio
import time

import httpx
import psutil

from taskhub_local.errors import LocalError
from taskhub_local.faults.runner import Setting
from tests.e2e.kube import BACKING, INGRESS, Kube
from tests.e2e.scene import DEPLOYMENTS

_BACKING = ("postgres", "redis", "elasticmq", "elasticsearch", "sink")
_LONGEST_SECONDS = 240.0
_POLL_SECONDS = 0.5
_BUSY_PERCENT = 60.0
"""Of this machine's processors. The cluster alone takes a third of two slow ones; under load, all of them."""
_LOOK_SECONDS = 3.0
_REST_SECONDS = 120.0


async def until_well(kube: Kube, setting: Setting) -> None:
    """Wait until every part is ready and the API answers through the ingress. Raises LocalError naming the part."""
    deadline = time.monotonic() + _LONGEST_SECONDS
    while True:
        ailing = await asyncio.to_thread(_ailing, kube, setting)
        if not ailing:
            return
        if time.monotonic() > deadline:
            raise LocalError(f"the cluster was not well before the fault: {ailing}")
        await asyncio.sleep(_POLL_SECONDS)


async def until_at_rest(setting: Setting) -> None:
    """Wait until what came before no longer keeps this machine busy, such as servers that have just started.

    What never gets less busy is not waited for: the case then says what it says of a busy machine.
    """
    deadline = time.monotonic() + _REST_SECONDS
    while (busy := await asyncio.to_thread(psutil.cpu_percent, _LOOK_SECONDS)) > _BUSY_PERCENT:
        if time.monotonic() > deadline:
            setting.say(f"the processors have not come to rest: {busy:.0f} % busy")
            return


def _ailing(kube: Kube, setting: Setting) -> str:
    """Return what is not well, or nothing."""
    try:
        for node in kube.nodes():
            if not kube.is_node_ready(node.metadata.name):
                return f"node {node.metadata.name} is not ready"
        for name in _BACKING:
            if not kube.ready_pods(name, BACKING):
                return f"{name} is not ready"
        for name in DEPLOYMENTS:
            if not kube.is_rolled_out(name):
                return f"{name} lacks replicas"
        if leaving := kube.leaving():
            return f"{', '.join(leaving)} of an earlier change still end"
        if not kube.ready_pods("traefik", INGRESS):
            return "the ingress controller is not ready"
        return unanswered(setting)
    except LocalError as error:
        return str(error)


def unanswered(setting: Setting) -> str:
    """Return how a request through the ingress fails, or nothing."""
    front = setting.front
    assert front is not None
    headers, extensions = {"Host": front.host}, {"sni_hostname": front.host}
    try:
        with httpx.Client(base_url=setting.api_url, verify=front.tls, trust_env=False, timeout=5) as client:
            answer = client.get("/readyz", headers=headers, extensions=extensions)
    except httpx.HTTPError as error:
        return f"the API does not answer: {error!r}"
    return "" if answer.is_success else f"GET /readyz: {answer.status_code} {answer.text.strip()}"
