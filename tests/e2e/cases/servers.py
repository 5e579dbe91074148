"""PostgreSQL and Redis show a certificate that nobody trusts: the apps refuse to talk to them (modes 3 and 4)."""

from collections.abc import Sequence

import redis

from taskhub_local.authority import new_authority
from taskhub_local.errors import LocalError
from taskhub_local.faults.case import Felt
from taskhub_local.faults.checks import felt_at_all, never_internal
from tests.e2e.case import ClusterCase
from tests.e2e.cases.backing import delete_backing_pod, until_ready
from tests.e2e.certificates import complaint
from tests.e2e.cluster.paths import STATE
from tests.e2e.cluster.secrets import BACKING_TLS, SERVERS
from tests.e2e.kube import BACKING
from tests.e2e.reach import ADDRESS, REDIS_PORT, front
from tests.e2e.scene import Scene

_NAMES = ("postgres", "redis")
_UNTRUSTED_SECONDS = 10.0
_SESSIONS = """
    SELECT count(*), count(*) FILTER (WHERE ssl) FROM pg_stat_activity JOIN pg_stat_ssl USING (pid)
    WHERE application_name LIKE 'taskhub-%'
"""


async def distrust_servers(scene: Scene) -> float:
    """Give both servers certificates of another authority, and the right ones back after a while."""
    sessions, encrypted = await scene.do(_sessions, scene)
    if not sessions or encrypted < sessions:
        raise LocalError(f"only {encrypted} of the apps' {sessions} sessions at PostgreSQL are encrypted")
    good = await scene.do(scene.kube.secret, BACKING_TLS, BACKING)
    stranger = new_authority()
    scene.stage.breaks("PostgreSQL and Redis get certificates of an authority that nobody trusts")
    try:
        await _show(scene, {**stranger.issue(SERVERS), "ca.crt": stranger.pem})
        context = front(await scene.do((STATE / "ca.crt").read_text)).tls
        await scene.until(
            lambda: complaint(context, host=f"redis.{BACKING}", port=REDIS_PORT),
            "Redis' new certificate is not trusted",
        )
        await scene.stage.last(_UNTRUSTED_SECONDS)
        sessions, _ = await scene.do(_sessions, scene)
        clients = await scene.do(_clients_of_redis)
    finally:
        await _show(scene, good)
    if sessions or clients:
        raise LocalError(f"in spite of the certificates there were {sessions} sessions and clients of Redis: {clients}")
    scene.stage.notes.append("nobody talked to a server that it could not verify")
    return scene.stage.heals("both show their own certificates")


async def _show(scene: Scene, certificate: dict[str, str]) -> None:
    await scene.do(scene.kube.set_secret, BACKING_TLS, certificate, BACKING)
    for name in _NAMES:
        pod = await delete_backing_pod(scene, name, at_once=False)
        await scene.until(lambda pod=pod: scene.kube.is_gone(pod), f"{name}'s pod is gone")
    for name in _NAMES:
        await until_ready(scene, name)


def _sessions(scene: Scene) -> tuple[int, int]:
    """How many sessions the apps have at PostgreSQL, and how many of them are encrypted."""
    with scene.stage.eyes.session() as session:
        found = session.execute(_SESSIONS).fetchone()
    assert found is not None
    return int(found[0]), int(found[1])


def _clients_of_redis() -> Sequence[str]:
    """The addresses of Redis' clients that have sent a command, without this one: others only try to shake hands."""
    with redis.Redis(
        ADDRESS, REDIS_PORT, ssl=True, ssl_cert_reqs="none", ssl_check_hostname=False, socket_timeout=5
    ) as client:
        own = client.client_id()
        return [one["addr"] for one in client.client_list() if int(one["id"]) != own and one["cmd"] != "NULL"]


CASES = (
    ClusterCase(
        name="servers_untrusted",
        breaks="PostgreSQL and Redis with certificates of an authority that nobody trusts",
        act=distrust_servers,
        felt=Felt.JOBS,
        budget_seconds=20,
        counted_from="both show their own again",
        checks=(felt_at_all, never_internal),
    ),
)
