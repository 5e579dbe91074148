"""A client as the documentation asks for: it repeats what failed under the same key, and writes everything down."""

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import httpx

from taskhub_local.errors import LocalError
from taskhub_local.faults.ledger import Answer, Ledger, Outcome, Request
from taskhub_local.faults.reach import Front
from taskhub_local.faults.recovery import Probe

_NOTHING_CHANGED = frozenset({"unavailable", "overloaded", "rate-limited"})
"""The problem types that promise it. All but the last are 503."""
_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_LONGEST_PAUSE_SECONDS = 2.0
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True, slots=True)
class Credentials:
    """An account to log in with."""

    email: str
    password: str


@dataclass(frozen=True, slots=True)
class HttpCall:
    """A request as it goes out."""

    method: str
    path: str
    json: Any = None
    content: bytes | None = None
    params: Mapping[str, str] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Call:
    """One request as it was experienced: for latencies and gaps. Times are Unix seconds."""

    request: Request
    probe: Probe
    answer: Answer
    body: Mapping[str, Any] | None
    """The JSON object of a 2xx answer to a read or search; writes need it only in the ledger's terms."""


class Client:
    """Sends requests of one account, and records each in the ledger. For one event loop."""

    def __init__(
        self,
        base_url: str,
        credentials: Credentials,
        ledger: Ledger,
        *,
        timeout_seconds: float = 12.0,
        front: Front | None = None,
    ) -> None:
        """`timeout_seconds` is longer than the API's own deadline: whoever hangs is seen to hang.

        Raises LocalError for any address but a loopback one: this client loads and breaks only its own machine.
        """
        if httpx.URL(base_url).host not in _LOOPBACK:
            raise LocalError(f"the fault driver talks to this machine only, not to {base_url}")
        self.calls: list[Call] = []
        self.credentials = credentials
        self._address = (base_url, timeout_seconds, front)
        self.ledger = ledger
        self._token: str | None = None
        self._log_in_lock = asyncio.Lock()
        self._http = httpx.AsyncClient(
            base_url=base_url,
            timeout=httpx.Timeout(timeout_seconds, connect=2.0),
            limits=httpx.Limits(max_connections=200, max_keepalive_connections=50),
            trust_env=False,
            verify=front.tls if front else True,
            headers={"Host": front.host} if front else {},
            event_hooks={"request": [_naming(front.host)]} if front else {},
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    def another(self, credentials: Credentials) -> "Client":
        """Return a client of another account, to the same address and with the same ledger."""
        base_url, timeout_seconds, front = self._address
        return Client(base_url, credentials, self.ledger, timeout_seconds=timeout_seconds, front=front)

    async def raw(self, call: HttpCall) -> httpx.Response:
        """Send a request that the ledger need not know (logging in, uploading). Raises httpx.HTTPError."""
        return await self._send(call, {})

    async def register(self) -> None:
        """Make the account. Raises LocalError if that is refused."""
        account = {"email": self.credentials.email, "password": self.credentials.password}
        answer = await self._http.post("/v1/accounts", json=account)
        if answer.status_code != httpx.codes.CREATED:
            raise LocalError(f"the account was not made: {answer.status_code} {answer.text.strip()}")

    async def once(self, request: Request, call: HttpCall) -> Call:
        """Send a request once, and record it."""
        await self._ensure_token()
        number = self.ledger.sent(request)
        began = time.time()
        answer, body = await self._try(call, {"Idempotency-Key": request.key} if request.operation.writes else {})
        ended = time.time()
        done = Call(request, Probe(began, ended, answer.outcome is Outcome.ACKNOWLEDGED), answer, body)
        self.ledger.answered(number, answer)
        self.calls.append(done)
        return done

    async def until_settled(
        self, request: Request, call: HttpCall, *, patience_seconds: float, stop: Callable[[], bool] = lambda: False
    ) -> Call:
        """Send a request, and repeat it while the answer says that repeating may help, within `patience_seconds`."""
        deadline = time.monotonic() + patience_seconds
        pause = 0.1
        while True:
            done = await self.once(request, call)
            if not _worth_repeating(done.answer) or time.monotonic() > deadline or stop():
                return done
            if done.answer.status == httpx.codes.UNAUTHORIZED:
                self._token = None
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)

    async def log_in(self) -> None:
        """Get an access token. Raises LocalError if the account is refused, and httpx.HTTPError."""
        credentials = {"email": self.credentials.email, "password": self.credentials.password}
        answer = await self._http.post("/v1/token", json=credentials)
        if answer.status_code != httpx.codes.OK:
            raise LocalError(f"no token for {self.credentials.email}: {answer.status_code} {answer.text.strip()}")
        self._token = answer.json()["access_token"]

    def take_token_of(self, other: "Client") -> None:
        """Use the token of another client of the same account, instead of logging in again."""
        self._token = other._token

    async def _ensure_token(self) -> None:
        async with self._log_in_lock:
            while self._token is None:
                try:
                    await self.log_in()
                except (httpx.HTTPError, LocalError):
                    await asyncio.sleep(0.5)

    async def _try(self, call: HttpCall, headers: Mapping[str, str]) -> tuple[Answer, Mapping[str, Any] | None]:
        began = time.monotonic()
        try:
            response = await self._send(call, headers)
        except httpx.HTTPError as error:
            outcome = Outcome.REFUSED if isinstance(error, _NEVER_SENT) else Outcome.UNKNOWN
            seconds = time.monotonic() - began
            return Answer(status=None, outcome=outcome, seconds=seconds, detail=type(error).__name__), None
        return classify(response, seconds=time.monotonic() - began)

    async def _send(self, call: HttpCall, headers: Mapping[str, str]) -> httpx.Response:
        authorization = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        return await self._http.request(
            call.method,
            call.path,
            json=call.json,
            content=call.content,
            params=call.params,
            headers={**authorization, **headers, **call.headers},
        )


def _naming(host: str) -> Callable[[httpx.Request], Awaitable[None]]:
    """Make the TLS handshake ask for `host`, and check the certificate against it, instead of against the address."""

    async def name(request: httpx.Request) -> None:
        request.extensions["sni_hostname"] = host

    return name


def classify(response: httpx.Response, *, seconds: float) -> tuple[Answer, Mapping[str, Any] | None]:
    """Return what an answer means to a client that reads the documentation, and its JSON object if it is 2xx."""
    status = response.status_code
    body = _object(response)
    if response.is_success:
        task = body if body is not None and "version" in body else {}
        answer = Answer(
            status=status,
            outcome=Outcome.ACKNOWLEDGED,
            seconds=seconds,
            task_id=_id(task.get("id")),
            version=task.get("version"),
        )
        return answer, body
    slug = str((body or {}).get("type", "")).rpartition("/")[2]
    nothing_changed = httpx.codes.is_client_error(status) or slug in _NOTHING_CHANGED
    outcome = Outcome.REFUSED if nothing_changed else Outcome.UNKNOWN
    return Answer(status=status, outcome=outcome, seconds=seconds, detail=slug), None


def _worth_repeating(answer: Answer) -> bool:
    if answer.outcome is Outcome.ACKNOWLEDGED:
        return False
    status = answer.status
    return status is None or status >= 500 or status in {httpx.codes.UNAUTHORIZED, httpx.codes.TOO_MANY_REQUESTS}


def _object(response: httpx.Response) -> dict[str, Any] | None:
    try:
        body = response.json()
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


def _id(value: object) -> uuid.UUID | None:
    return uuid.UUID(value) if isinstance(value, str) else None
