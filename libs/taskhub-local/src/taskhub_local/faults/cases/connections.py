"""Somebody takes every connection that PostgreSQL has, and the apps get none (failure mode 3)."""

import time
from contextlib import suppress
from types import TracebackType
from typing import Self

import psycopg

from taskhub_local.faults.case import Felt
from taskhub_local.faults.cases.making import case
from taskhub_local.faults.checks import answered_within, felt_at_all, never_internal
from taskhub_local.faults.stage import Stage

_TAKING_SECONDS = 60.0
_TAKEN_SECONDS = 8.0
_LOOK_SECONDS = 0.25
_CROWD = "fault-crowd"

_END_OTHERS = """
    SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) FROM pg_stat_activity
    WHERE usename = current_user AND application_name <> %s
"""


class Crowd:
    """Sessions of the apps' own role that do nothing but be there. Left, they are gone."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._sessions: list[psycopg.Connection] = []

    def __len__(self) -> int:
        return len(self._sessions)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for session in self._sessions:
            session.close()

    def has_all(self) -> bool:
        """Take what is free, end the sessions of all others, and return whether there were none. Raises psycopg.Error.

        What is freed so is taken by whoever comes first: call it until it is true.
        """
        with suppress(psycopg.OperationalError):
            while True:
                self._sessions.append(psycopg.connect(self._url, application_name=_CROWD, autocommit=True))
        return self._sessions[0].execute(_END_OTHERS, [_CROWD]).fetchone() == (0,)


async def take_connections(stage: Stage) -> float:
    """Take every connection, those that the apps have included, and keep them for a while."""
    with Crowd(stage.target.database_url) as crowd:
        stage.breaks("take every connection of PostgreSQL")
        await stage.until(crowd.has_all, seconds=_TAKING_SECONDS, what="nobody else has a connection")
        end = time.monotonic() + _TAKEN_SECONDS
        while time.monotonic() < end:
            await stage.last(_LOOK_SECONDS)
            await stage.until(crowd.has_all, seconds=_TAKING_SECONDS, what="nobody else has a connection")
        stage.notes.append(f"{len(crowd)} connections taken")
    return stage.heals("the connections are free")


CASES = (
    case(
        "postgres-connections",
        f"every connection of PostgreSQL taken by somebody else for {_TAKEN_SECONDS:g} s",
        take_connections,
        felt=Felt.WRITES,
        # As when PostgreSQL is away: the promise is 2 s, the rest is for a machine that does other things, too.
        checks=(felt_at_all, never_internal, answered_within(2.5, at_most=4.0)),
    ),
)
