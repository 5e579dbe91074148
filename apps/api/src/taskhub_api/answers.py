"""Answers of writes: made inside the unit of work, stored with the effect under the Idempotency-Key, and replayed."""

import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Annotated, Any

import orjson
from fastapi import Depends, Header, Request
from sqlalchemy import Connection
from starlette.responses import Response

from taskhub_api.database import Database
from taskhub_api.problems import Problem
from taskhub_api.security.keyring import Keyring
from taskhub_core.database import idempotency
from taskhub_core.database.idempotency import Kept, StoredAnswer
from taskhub_core.errors import TaskHubError, Unavailable
from taskhub_core.telemetry import metrics

NO_ACCOUNT = uuid.UUID(int=0)
# A fingerprint is a MAC and not a bare hash: the body may hold a password, which a stolen hash would let one guess.
_FINGERPRINT = "request fingerprint"


def to_json(value: Any) -> bytes:
    """JSON as the API writes it: times in RFC 3339 with Z."""
    return orjson.dumps(value, option=orjson.OPT_UTC_Z)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a unit of work answers with."""

    status: int
    content: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    kept: Any = None
    """What to store instead of the content, where the content is a secret; the route's `rebuild` makes it again."""

    def response(self) -> Response:
        """As an HTTP response."""
        if self.content is None:
            return Response(status_code=self.status, headers=self.headers)
        return Response(to_json(self.content), self.status, self.headers, "application/json")


type Rebuild = Callable[[Any], Answer]
"""Makes an answer from what was kept of it."""


type Recover = Callable[[Connection], Answer | None]
"""Looks up, after an unknown COMMIT, whether the work was done: its answer, or None if it may be repeated."""


def repeat(_connection: Connection) -> Answer | None:
    """The Recover of work that does nothing the second time: it is simply repeated."""
    return None


class _KeyTaken(Exception):
    """Another request with the same key committed first: this one's transaction is rolled back."""


class Writer:
    """Commits the units of work of one request, under its Idempotency-Key if it has one."""

    def __init__(self, request: Request, key: str | None) -> None:
        self._request = request
        self._database: Database = request.app.state.database
        self._keyring: Keyring = request.app.state.keyring
        self._key = key

    async def commit(
        self,
        work: Callable[[Connection], Answer],
        *,
        account_id: uuid.UUID = NO_ACCOUNT,
        rebuild: Rebuild | None = None,
        recover: Recover | None = None,
    ) -> Response:
        """Runs the work once per key and answers; a repeated request gets the first one's answer.

        Without a key, `recover` tells what an unknown COMMIT came to; with one, the key's own row does.
        Raises Problem idempotency-key-reused when the key belongs to another request.
        """
        if self._key is None:
            return (await self._database.run(work, recover=recover)).response()
        key, request = self._key, await self._described()
        fingerprint = self._keyring.mac(_FINGERPRINT, request)
        replay = self._replay(account_id, key, request, rebuild)

        def once(connection: Connection) -> Response:
            replayed = replay(connection)
            if replayed is not None:
                return replayed
            answer = work(connection)
            if not idempotency.store(connection, Kept(account_id, key, _stored(answer, fingerprint))):
                raise _KeyTaken
            return answer.response()

        return await self._once(once, replay)

    async def commit_known(
        self, answer: Answer, effect: Callable[[Connection, Kept | None], bool], *, account_id: uuid.UUID
    ) -> Response:
        """As `commit`, for work whose answer is known before it is done, so that both can be one statement.

        `effect` does the work and stores the answer that it is given. It returns False, and does nothing, when the key
        is taken.
        """
        if self._key is None:
            await self._database.run(lambda connection: effect(connection, None))
            return answer.response()
        request = await self._described()
        kept = Kept(account_id, self._key, _stored(answer, self._keyring.mac(_FINGERPRINT, request)))

        def once(connection: Connection) -> Response:
            if not effect(connection, kept):
                raise _KeyTaken
            return answer.response()

        return await self._once(once, self._replay(account_id, self._key, request, None))

    async def _once(
        self, once: Callable[[Connection], Response], replay: Callable[[Connection], Response | None]
    ) -> Response:
        try:
            return await self._database.run(once, recover=replay)
        except (_KeyTaken, TaskHubError) as error:
            # A twin may have committed between our look and our work, and made it fail: then its answer is ours.
            if isinstance(error, Unavailable):
                raise
            replayed = await self._database.read(replay)
            if replayed is None:
                raise
            return replayed

    def _replay(
        self, account_id: uuid.UUID, key: str, request: bytes, rebuild: Rebuild | None
    ) -> Callable[[Connection], Response | None]:
        def replay(connection: Connection) -> Response | None:
            stored = idempotency.look_up(connection, account_id, key)
            if stored is None:
                return None
            self._refuse_another(stored, request)
            return _replayed(stored, rebuild)

        return replay

    async def act(self, action: Callable[[], Awaitable[Answer]], *, account_id: uuid.UUID) -> Response:
        """As `commit`, for an effect outside PostgreSQL: a repeated request gets the first one's answer.

        Effect and key cannot be one transaction then: twins may both act, so it is only for what may happen twice.
        """
        key = self._key
        if key is None:
            return (await action()).response()
        replayed = await self._database.read(self._replay(account_id, key, await self._described(), None))
        if replayed is not None:
            return replayed
        answer = await action()
        return await self.commit(lambda _connection: answer, account_id=account_id)

    def _refuse_another(self, stored: StoredAnswer, request: bytes) -> None:
        if not self._keyring.is_mac(stored.fingerprint, _FINGERPRINT, request):
            raise Problem(
                "idempotency-key-reused",
                "This Idempotency-Key was used for a request with another method, URL or body. Use a new key.",
            )

    async def _described(self) -> bytes:
        request = self._request
        target = f"{request.method} {request.scope['path']}?{request.scope['query_string'].decode('latin-1')}\n"
        return target.encode() + await request.body()


def _stored(answer: Answer, fingerprint: bytes) -> StoredAnswer:
    if answer.kept is not None:
        return StoredAnswer(fingerprint, answer.status, {"kept": answer.kept}, b"")
    body = b"" if answer.content is None else to_json(answer.content)
    return StoredAnswer(fingerprint, answer.status, answer.headers, body)


def _replayed(stored: StoredAnswer, rebuild: Rebuild | None) -> Response:
    metrics.IDEMPOTENT_REPLAYS.inc()
    if rebuild is not None and "kept" in stored.headers:
        response = rebuild(stored.headers["kept"]).response()
    else:
        response = Response(stored.body, stored.status, stored.headers, "application/json" if stored.body else None)
    response.headers["Idempotent-Replayed"] = "true"
    return response


async def writer(
    request: Request,
    idempotency_key: Annotated[
        str | None,
        Header(
            min_length=1,
            max_length=255,
            pattern=r"^[\x21-\x7e]+$",
            description="Any unique text. For 24 hours, a repeated request with this key gets the first one's answer.",
            examples=["0b6c1c3e-1f3a-4f57-9d53-0d6a4a0f6f21"],
        ),
    ] = None,
) -> Writer:
    """The dependency of every route that writes."""
    return Writer(request, idempotency_key)


Write = Annotated[Writer, Depends(writer)]
