"""A standby of PostgreSQL: a copy of another server that follows its log, and that takes writes once it is promoted."""

import subprocess
import tempfile
from pathlib import Path

import psycopg

from taskhub_local.errors import PartFailedError
from taskhub_local.parts.base import PartFolders
from taskhub_local.parts.postgres import BINARIES, DATABASE, PostgresPart
from taskhub_local.process.unprivileged import as_unprivileged, give_to_unprivileged


class PostgresStandby(PostgresPart):
    """A streaming replica, with its primary's roles, databases and passwords."""

    def __init__(
        self, folders: PartFolders, primary: PostgresPart, *, host: str, link_port: int, name: str = "postgres-standby"
    ) -> None:
        """`host` is where it listens, on its primary's port; through `link_port`, on the primary's host, it follows."""
        super().__init__(folders, primary.port, name=name, host=host, durable=primary.durable)
        self._primary = primary
        self._link_port = link_port
        # What the primary knows it by.
        self.settings["cluster_name"] = name

    def prepare(self) -> None:
        """Copy the primary once, which must be running."""
        if (self.data / "PG_VERSION").exists():
            super().prepare()
            return
        source = self._primary.url_for("postgres", superuser=True).replace(f":{self.port}/", f":{self._link_port}/")
        copy_server(source, self.data, self.environment, follow=True)

    def after_ready(self) -> None:
        """Nothing: what there is to create comes from the primary."""

    def promote(self) -> None:
        """Stop following, and take writes. Returns once it does. Raises psycopg.Error."""
        with self.superuser_session() as session:
            session.execute("SELECT pg_promote(wait => true)")

    def lead(self, former: PostgresPart) -> None:
        """Have its former primary, which was stopped in good order and so has sent all of its log, follow this one."""
        source = self.url_for("postgres", superuser=True)
        former.settings |= {"primary_conninfo": source, "cluster_name": former.name}
        (former.data / "standby.signal").touch()
        give_to_unprivileged([former.data])

    def missing_bytes(self, primary: psycopg.Connection) -> int:
        """Return how much of the log on the primary's disk is not on this one's, as a superuser's session there says.

        Raises psycopg.Error, and PartFailedError if this standby does not follow.
        """
        query = (
            "SELECT pg_wal_lsn_diff(pg_current_wal_flush_lsn(), flush_lsn)::bigint FROM pg_stat_replication"
            " WHERE application_name = %s"
        )
        (missing,) = primary.execute(query, [self.name]).fetchone() or (None,)
        if missing is None:
            raise PartFailedError(f"{self.name} does not follow its primary")
        return int(missing)

    def synchronous(self) -> bool:
        """Whether the primary acknowledges a commit only when it is on this standby's disk, too."""
        with self._primary.superuser_session() as session:
            query = "SELECT sync_state = 'sync' FROM pg_stat_replication WHERE application_name = %s"
            return session.execute(query, [self.name]).fetchone() == (True,)

    def demand_synchrony(self) -> None:
        """Have the primary wait for this standby at each commit, from now on, as RDS Multi-AZ does."""
        with self._primary.superuser_session() as session:
            session.execute(f"ALTER SYSTEM SET synchronous_standby_names = '\"{self.name}\"'")
            session.execute("SELECT pg_reload_conf()")

    def _password(self) -> str:
        return self._primary.url_for(DATABASE).partition("@")[0].rpartition(":")[2]


def copy_server(source: str, target: Path, environment: dict[str, str], *, follow: bool = False) -> None:
    """Copy a running server's data into a folder that does not exist yet. `follow` makes the copy a standby.

    `source` is a superuser's URL. Raises PartFailedError; nothing is left behind then that looks finished.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="copy-", dir=target.parent) as scratch:
        give_to_unprivileged([Path(scratch)])
        fresh = Path(scratch) / "data"
        command = [
            *(str(BINARIES / "pg_basebackup"), "--dbname", source, "--pgdata", str(fresh)),
            *("--wal-method", "stream", "--checkpoint", "fast"),
            *(["--write-recovery-conf"] if follow else []),
        ]
        result = subprocess.run(  # noqa: S603 - our own binary with our own arguments
            as_unprivileged(command), env=environment, capture_output=True, text=True, check=False
        )
        if result.returncode != 0:
            raise PartFailedError(f"pg_basebackup failed: {result.stderr.strip()}")
        fresh.rename(target)
