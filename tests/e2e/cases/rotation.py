"""Secrets change without downtime: the key that signs tokens, and the role that PostgreSQL knows the apps by."""

import base64
import json
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

from taskhub_local.errors import LocalError
from taskhub_local.faults.case import Felt
from taskhub_local.faults.client import HttpCall
from tests.e2e.case import ClusterCase
from tests.e2e.cases.checks import nothing_failed
from tests.e2e.install import APP_SECRET, superuser_url
from tests.e2e.scene import Scene

_RELEASES = ("api", "worker", "sqs-consumer")
_DRAIN_SECONDS = 90.0  # what pods of the former revision may take to end
_URL = "TASKHUB_DATABASE_URL"
_KEYS, _ACTIVE = "TASKHUB_JWT_KEYS", "TASKHUB_JWT_ACTIVE_KID"


async def rotate_secrets(scene: Scene) -> float:
    """Sign with a new key and log in to PostgreSQL as another role; then lock the former role out, and go back."""
    former = await scene.do(scene.kube.secret, APP_SECRET)
    async with _another_role(scene, former[_URL]) as (role, url):
        kid = f"e2e-{secrets.token_hex(4)}"
        keys = {**json.loads(former[_KEYS]), kid: secrets.token_urlsafe(48)}
        since = scene.stage.breaks("a new signing key and a new database role")
        await _apply(scene, {_URL: url, _KEYS: json.dumps(keys), _ACTIVE: kid})
        try:
            await _until_unused(scene, former[_URL])
            if await _signed_by(scene) != kid:
                raise LocalError("new tokens are not signed with the new key after every pod was replaced")
            scene.stage.recovered(f"every pod uses {role} and signs with {kid}")
        finally:
            # The new key stays among the keys: tokens that it signed are out there.
            await _apply(scene, {**former, _KEYS: json.dumps(keys)})
            await _until_unused(scene, url)
    return since


async def _until_unused(scene: Scene, url: str) -> None:
    """Wait until the pods of the revision before have ended, which serve until then."""
    what = "no session of the former database role is left"
    await scene.until(lambda: _sessions(scene, url) == 0, what, seconds=_DRAIN_SECONDS)


async def _signed_by(scene: Scene) -> str:
    """Log in anew, and return the id of the key that signed the token."""
    account = scene.stage.client.credentials
    call = HttpCall("POST", "/v1/token", json={"email": account.email, "password": account.password})
    token = (await scene.stage.client.raw(call)).raise_for_status().json()["access_token"]
    head = token.partition(".")[0]
    return str(json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))["kid"])


async def _apply(scene: Scene, values: Mapping[str, str]) -> None:
    await scene.do(scene.kube.set_secret, APP_SECRET, {name: values[name] for name in (_URL, _KEYS, _ACTIVE)})
    for release in _RELEASES:  # one after the other: new processes cost those that serve no more than they must
        await scene.do(scene.helm.upgrade, release, "--no-hooks")
        await scene.until_rolled_out(seconds=240)
    scene.stage.heals("every pod was replaced")


@asynccontextmanager
async def _another_role(scene: Scene, url: str) -> AsyncIterator[tuple[str, str]]:
    """Make a role that may do what the apps' role may, and owns nothing of its own."""
    parts = urlsplit(url)
    owner, role, password = str(parts.username), f"e2e_{secrets.token_hex(4)}", secrets.token_hex(16)
    names = {"role": sql.Identifier(role), "owner": sql.Identifier(owner), "password": sql.Literal(password)}
    admin = await scene.do(superuser_url, scene.kube)
    make = sql.SQL(
        "CREATE ROLE {role} LOGIN PASSWORD {password} IN ROLE {owner}; ALTER ROLE {role} SET role = {owner}"
    ).format(**names)
    with psycopg.connect(admin, autocommit=True) as session:
        session.execute(make)
    try:
        yield role, urlunsplit(parts._replace(netloc=f"{role}:{password}@{parts.hostname}:{parts.port or 5432}"))
    finally:
        with psycopg.connect(admin, autocommit=True) as session:
            session.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", [role])
            session.execute(sql.SQL("DROP ROLE {role}").format(**names))


def _sessions(scene: Scene, url: str) -> int:
    """How many pods' sessions a role has; the eyes' own come through a node's address."""
    pods = scene.kube.core.list_namespaced_pod("taskhub").items
    addresses = [pod.status.pod_ip for pod in pods if pod.status.pod_ip]
    query = "SELECT count(*) FROM pg_stat_activity WHERE usename = %s AND host(client_addr) = ANY (%s)"
    with psycopg.connect(superuser_url(scene.kube)) as session:
        (count,) = session.execute(query, [urlsplit(url).username, addresses]).fetchone() or (0,)
    return int(count)


CASES = (
    ClusterCase(
        name="secrets_rotated",
        breaks="signing key and database role changed",
        act=rotate_secrets,
        felt=Felt.MARKED,
        budget_seconds=180,
        counted_from="the change",
        checks=(nothing_failed,),
    ),
)
