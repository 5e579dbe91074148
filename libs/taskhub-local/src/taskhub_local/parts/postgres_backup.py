"""Backups of PostgreSQL for a restore to any point in time: a copy of the server, and every segment of its log since.

A dump would hold one moment only, the one when it was taken; what was acknowledged since would be gone. RDS restores
in this way, too: from a snapshot and the archived log.
"""

import shlex
import shutil
from datetime import UTC, datetime
from pathlib import Path

from taskhub_local.errors import LocalError
from taskhub_local.parts.postgres import PostgresPart
from taskhub_local.parts.postgres_standby import copy_server
from taskhub_local.process.unprivileged import give_to_unprivileged

_ARCHIVE_SECONDS = 2
"""A segment of the log is archived at the latest after this long, full or not. RDS does so every five minutes."""


class PostgresBackup:
    """The backup of one server, in a folder of its own."""

    def __init__(self, part: PostgresPart, folder: Path) -> None:
        """Has the server archive its log from its next start on."""
        self._part = part
        self._copy = folder / "copy"
        self._log = folder / "log"
        self._log.mkdir(parents=True)
        give_to_unprivileged([folder])
        whole = shlex.quote(str(self._log / "%f"))
        part.settings |= {
            "archive_mode": "on",
            # Under its name only once it is complete; never over another one.
            "archive_command": f"test ! -e {whole} && cp %p {whole}.part && mv {whole}.part {whole}",
            "archive_timeout": f"{_ARCHIVE_SECONDS}s",
        }

    def take(self) -> None:
        """Copy the running server. Raises PartFailedError."""
        copy_server(self._part.url_for("postgres", superuser=True), self._copy, self._part.environment)

    def position(self) -> str:
        """Return the segment that the server writes its log to at present. Raises psycopg.Error."""
        with self._part.superuser_session() as session:
            (name,) = session.execute("SELECT pg_walfile_name(pg_current_wal_insert_lsn())").fetchone() or ("",)
        return str(name)

    def reaches(self, position: str) -> bool:
        """Whether the archive has that segment, so that a restore can go there."""
        return (self._log / position).exists()

    def restore(self, to: datetime) -> None:
        """Put the data back as it was at that time; the server's next start replays the log up to there.

        Sessions are refused until it takes writes. Raises LocalError where there is data: never over a server's own.
        """
        data = self._part.data
        if data.exists():
            raise LocalError(f"{data} exists: a restore is to an empty place, beside whatever is left")
        fresh = data.with_suffix(".restoring")
        shutil.copytree(self._copy, fresh)
        fresh.chmod(0o700)
        settings = {
            "restore_command": f"cp {shlex.quote(str(self._log / '%f'))} %p",
            "recovery_target_time": to.astimezone(UTC).isoformat(),
            "recovery_target_action": "promote",
            "hot_standby": "off",
        }
        with (fresh / "postgresql.auto.conf").open("a") as file:
            file.writelines(f"{name} = {_quoted(value)}\n" for name, value in settings.items())
        (fresh / "recovery.signal").touch()
        give_to_unprivileged([fresh])
        fresh.rename(data)


def _quoted(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
