"""A small client of the HTTP API, as any program would write one."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx

from taskhub_local.errors import LocalError

_TIMEOUT_SECONDS = 30.0
_PAUSE_SECONDS = 1.0


class DemoError(LocalError):
    """The platform did not do what was asked; the text says what, and what it answered."""


@dataclass(frozen=True)
class Progress:
    """How far a job is."""

    state: str
    done: int
    total: int | None


class Api:
    """One account's view of the API."""

    def __init__(self, url: str, *, patience_seconds: float = 0.0) -> None:
        """`patience_seconds` is how long a request is repeated that got 503 or no answer: those of Api may be."""
        self._client = httpx.Client(base_url=url, timeout=_TIMEOUT_SECONDS)
        self._patience_seconds = patience_seconds

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def register(self, email: str, password: str) -> None:
        """Make an account."""
        self.call("POST", "/v1/accounts", 201, json={"email": email, "password": password})

    def log_in(self, email: str, password: str) -> None:
        """Get a token and send it from now on."""
        token = self.call("POST", "/v1/token", 200, json={"email": email, "password": password}).json()
        self._client.headers["Authorization"] = f"Bearer {token['access_token']}"

    def call(self, method: str, path: str, expected: int, **arguments: Any) -> httpx.Response:
        """Send one request. Raises DemoError if the answer has another status, or none comes."""
        deadline = time.monotonic() + self._patience_seconds
        while True:
            try:
                answer = self._client.request(method, path, **arguments)
                if answer.status_code == expected:
                    return answer
                problem = f"answered {answer.status_code} instead of {expected}: {answer.text.strip()[:300]}"
                may_help = answer.status_code == httpx.codes.SERVICE_UNAVAILABLE
            except httpx.HTTPError as error:
                problem, may_help = f"was not answered: {error!r}", True
            if not may_help or time.monotonic() >= deadline:
                raise DemoError(f"{method} {path} {problem}")
            time.sleep(_PAUSE_SECONDS)

    def get(self, path: str, **params: Any) -> dict[str, Any]:
        """Get a JSON object."""
        found: dict[str, Any] = self.call("GET", path, 200, params=params).json()
        return found

    def upload(self, name: str, content_type: str, content: bytes) -> str:
        """Upload a file and return its id."""
        headers = {"Content-Type": content_type, "Idempotency-Key": str(uuid4())}
        answer = self.call("POST", "/v1/files", 201, params={"name": name}, headers=headers, content=content)
        return str(answer.json()["id"])

    def download(self, file_id: str) -> bytes:
        """Return a file's content."""
        return self.call("GET", f"/v1/files/{file_id}", 200).content

    def submit(self, kind: str, args: dict[str, Any]) -> str:
        """Submit a job under an id of our own, so that a repeated request would be the same job; return the id."""
        body = {"kind": kind, "args": args, "job_id": str(uuid4())}
        return str(self.call("POST", "/v1/jobs", 202, json=body).json()["id"])

    def follow(self, job_id: str) -> Iterator[Progress]:
        """Yield a job's progress from its stream of server-sent events until the job has ended."""
        ended = False
        while not ended:
            for name, data in self._events(f"/v1/jobs/{job_id}/progress"):
                progress = data.get("progress") or {}
                yield Progress(data["state"], int(progress.get("done") or 0), progress.get("total"))
                ended = ended or name == "end"

    def result(self, job_id: str) -> dict[str, Any]:
        """Return what a job gave back. Raises DemoError if it did not succeed."""
        job = self.get(f"/v1/jobs/{job_id}")
        if job["state"] != "succeeded":
            raise DemoError(f"job {job_id} ({job['kind']}) is {job['state']}: {job['error']}")
        result: dict[str, Any] = job["result"]
        return result

    def _events(self, path: str) -> Iterator[tuple[str, dict[str, Any]]]:
        try:
            with self._client.stream("GET", path) as answer:
                if answer.status_code != httpx.codes.OK:
                    answer.read()
                    raise DemoError(f"GET {path} answered {answer.status_code}: {answer.text.strip()[:300]}")
                yield from _parse_events(answer.iter_lines())
        except httpx.HTTPError as error:
            raise DemoError(f"GET {path} broke off: {error!r}") from error


def _parse_events(lines: Iterator[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    name, data = "message", ""
    for line in lines:
        if line.startswith("event:"):
            name = line.removeprefix("event:").strip()
        elif line.startswith("data:"):
            data += line.removeprefix("data:").strip()
        elif not line and data:
            yield name, json.loads(data)
            name, data = "message", ""
