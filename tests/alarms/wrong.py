"""What is wrong for as long as a block lasts: a certificate, a route, a release, messages, a server of data, a node."""

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import timedelta

import psycopg
from psycopg import sql

from taskhub_local.authority import new_authority
from taskhub_local.errors import LocalError
from taskhub_local.parts.sqs import DEAD_LETTER_QUEUE
from tests.alarms.conftest import Watched
from tests.alarms.mending import on_call
from tests.e2e import queues
from tests.e2e.certificates import SECRET, read_authority
from tests.e2e.cluster.paths import STATE
from tests.e2e.cluster.secrets import MONITORING
from tests.e2e.install import superuser_url
from tests.e2e.kube import docker
from tests.e2e.reach import HOST

_API = "api"
_TOO_LITTLE = "64Mi"  # of memory: the API begins, and is killed while it imports
_END_OTHERS = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()"""
_FREE = """SELECT current_setting('max_connections')::int - count(*)::int FROM pg_stat_activity
WHERE backend_type = 'client backend'"""
_LEFT = 30  # of 300: less than 85 % in use would be no alert, and pools may grow meanwhile
_FILL = """
redis eval "for n = 1, 50 do redis.call('SET', 'foreign:' .. n, string.rep('x', 1000000)) end" 0
used=$(redis info memory | tr -d '\\r' | sed -n 's/^used_memory://p')
redis config set maxmemory $((used * 100 / 94))
"""
_EMPTY = """
redis eval "for n = 1, 50 do redis.call('DEL', 'foreign:' .. n) end" 0
"""


@contextmanager
def _shown(watched: Watched, certificate: dict[str, str]) -> Iterator[None]:
    """Show another certificate; the right one lies in the folder, for whoever mends it."""
    good = watched.kube.secret(SECRET)
    watched.setting.folder.mkdir(parents=True, exist_ok=True)
    for name in certificate:
        (watched.setting.folder / name).write_text(good[name])
    watched.kube.set_secret(SECRET, certificate)
    try:
        yield
    finally:
        watched.kube.set_secret(SECRET, {name: good[name] for name in certificate})


@contextmanager
def _rolled_back(watched: Watched) -> Iterator[None]:
    """Whatever becomes of the API's release, it is again what it was."""
    good = watched.helm.revision(_API)
    try:
        yield
    finally:
        watched.helm.rollback(_API, str(good), "--no-hooks")


@contextmanager
def _released(watched: Watched, *values: str) -> Iterator[None]:
    """The API's release has other values, and no hook has run."""
    with _rolled_back(watched):
        watched.helm.upgrade(_API, "--no-hooks", *(option for value in values for option in ("--set", value)))
        yield


@contextmanager
def certificate_untrusted(watched: Watched) -> Iterator[None]:
    """The ingress shows a certificate of an authority that nobody trusts."""
    with _shown(watched, new_authority().issue((HOST,))):
        yield


@contextmanager
def certificate_ends_soon(watched: Watched) -> Iterator[None]:
    """The ingress's certificate is good for two days more."""
    authority = read_authority(STATE / "ca.crt", STATE / "ca.key")
    with _shown(watched, authority.issue((HOST,), valid_for=timedelta(days=2))):
        yield


@contextmanager
def ingress_of_another_host(watched: Watched) -> Iterator[None]:
    """A release named another host: the ingress knows no target for the one that clients ask for."""
    with _released(watched, "ingress.host=elsewhere.localhost"):
        yield


@contextmanager
def poison(watched: Watched) -> Iterator[None]:
    """Messages that are no events came, and lie in the DLQ."""
    queues.send(queues.POISON)
    try:
        yield
    finally:
        queues.empty(DEAD_LETTER_QUEUE)


@contextmanager
def migration_failed(watched: Watched) -> Iterator[None]:
    """The API was upgraded while somebody held what every migration reads."""
    with _rolled_back(watched):
        with psycopg.connect(superuser_url(watched.kube)) as session:
            session.execute("LOCK TABLE alembic_version IN ACCESS EXCLUSIVE MODE")
            try:
                watched.helm.upgrade(_API, "--set", "migration.backoffLimit=0", "--timeout", "120s")
            except LocalError as error:
                watched.setting.say(str(error).rpartition("Error: ")[2])
            else:
                raise LocalError("a migration that cannot have its lock did not stop the release")
        yield


@contextmanager
def api_without_memory(watched: Watched) -> Iterator[None]:
    """A release of the API may not have the memory it needs, and never gets ready."""
    with _released(watched, *(f"resources.{kind}.memory={_TOO_LITTLE}" for kind in ("requests", "limits"))):
        yield


@contextmanager
def database_read_only(watched: Watched) -> Iterator[None]:
    """Somebody let the database take no writes, and every session began anew."""
    # A session for each step: the runbook ends all that there are.
    with psycopg.connect(superuser_url(watched.kube), autocommit=True) as session:
        database = sql.Identifier(session.info.dbname)
        session.execute(sql.SQL("ALTER DATABASE {} SET default_transaction_read_only = on").format(database))
        session.execute(_END_OTHERS)
    try:
        yield
    finally:
        with psycopg.connect(superuser_url(watched.kube), autocommit=True) as session:
            session.execute("SET default_transaction_read_only = off")
            session.execute(sql.SQL("ALTER DATABASE {} RESET default_transaction_read_only").format(database))
            session.execute(_END_OTHERS)


@contextmanager
def database_taken(watched: Watched) -> Iterator[None]:
    """Somebody holds nearly every connection that PostgreSQL has, and does nothing with them."""
    url = superuser_url(watched.kube)
    with psycopg.connect(url) as session:
        (free,) = session.execute(_FREE).fetchone() or (0,)
    with ExitStack() as sessions:
        for _ in range(free - _LEFT):
            sessions.enter_context(closing(psycopg.connect(url)))
        yield


@contextmanager
def redis_nearly_full(watched: Watched) -> Iterator[None]:
    """Somebody's keys fill Redis to 94 % of its memory, which is made small for it."""
    folder = watched.setting.folder
    limit = on_call("redis config get maxmemory | tail -n 1", folder)
    on_call(_FILL, folder)
    try:
        yield
    finally:
        on_call(f"{_EMPTY}redis config set maxmemory {limit}", folder)


@contextmanager
def alertmanager_without_place(watched: Watched) -> Iterator[None]:
    """One of two Alertmanagers finds no node: each wants one of its own, and those that are left take nobody.

    (With one replica fewer, Prometheus Operator starts the other one anew, too, and neither knows what was told.)
    """
    stays, goes = watched.kube.pods("alertmanager", MONITORING)
    closed = [node.metadata.name for node in watched.kube.nodes() if node.metadata.name != stays.spec.node_name]
    for node in closed:
        watched.kube.cordon(node, closed=True)
    try:
        watched.kube.delete_pod(goes)
        yield
    finally:
        for node in closed:
            watched.kube.cordon(node, closed=False)


@contextmanager
def node_stopped(watched: Watched) -> Iterator[None]:
    """A worker node has no power."""
    node = watched.kube.workers()[-1]
    docker("kill", node)
    try:
        yield
    finally:
        docker("start", node)
