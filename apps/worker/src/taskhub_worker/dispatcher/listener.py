"""Listens for NOTIFY and wakes the jobs loop. Where it cannot listen, the loop's polling is enough."""

import threading
from collections.abc import Callable

import psycopg
import structlog
from psycopg import sql

from taskhub_core.database.engine import connect_args, sqlalchemy_url
from taskhub_core.jobs.notify import CHANNEL
from taskhub_core.settings import DatabaseSettings

log = structlog.get_logger(__name__)

_LOOK_EVERY_SECONDS = 0.5
_RECONNECT_SECONDS = 3.0


def can_listen(settings: DatabaseSettings) -> bool:
    """LISTEN needs a session of its own, which a pooler in transaction mode does not give."""
    return settings.database_pooler == "none" or settings.database_direct_url is not None


class Listener:
    """A thread with one direct connection."""

    def __init__(self, settings: DatabaseSettings, on_notify: Callable[[], None]) -> None:
        self._settings = settings
        self._on_notify = on_notify
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="listener", daemon=True)

    def start(self) -> None:
        """Begins to listen."""
        self._thread.start()

    def stop(self) -> None:
        """Stops listening; returns at once."""
        self._stopping.set()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._listen()
            except psycopg.Error as error:
                log.info("not listening for now; polling goes on", error=repr(error)[:200])
                self._stopping.wait(_RECONNECT_SECONDS)

    def _listen(self) -> None:
        url = sqlalchemy_url(self._settings, direct=True).set(drivername="postgresql")
        arguments = connect_args(self._settings, application_name="taskhub-dispatcher-listen", direct=True)
        with psycopg.connect(url.render_as_string(hide_password=False), autocommit=True, **arguments) as connection:
            connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(CHANNEL)))
            self._on_notify()  # what was committed before this moment was told to nobody
            while not self._stopping.is_set():
                for _ in connection.notifies(timeout=_LOOK_EVERY_SECONDS, stop_after=1):
                    self._on_notify()
