"""(b) Requests per API-CPU-second, against the same endpoints written the ordinary way and as a bare handler."""

import itertools
import statistics
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx
import orjson
import psycopg

from taskhub_api.security.access_tokens import AccessTokens, Caller
from taskhub_api.settings import ApiSettings
from taskhub_core.accounts.models import Role
from tests.bench import load, servers

UVICORN = [
    "--host", "127.0.0.1", "--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Cost:
    """Requests per CPU second of one server at one operation: the median of the rounds."""

    server: str
    operation: str
    per_cpu_second: float
    p50_ms: float
    memory_mib: float


def commands(port: int) -> dict[str, list[str]]:
    """How each server is started."""
    uvicorn = [str(servers.BIN / "uvicorn"), *UVICORN, "--port", str(port)]
    return {
        "taskhub": [str(servers.BIN / "taskhub-api"), "serve"],
        "ordinary": [*uvicorn, "tests.bench.peers.ordinary_api:app"],
        "bare": [*uvicorn, "tests.bench.peers.bare_api:app"],
    }


def operations(token: str, task_id: uuid.UUID) -> dict[str, Callable[[], bytes]]:
    """The requests that are measured, as they go over the wire."""
    task = orjson.dumps({"title": "Rotate the signing keys", "notes": "The runbook has the steps.", "tags": ["ops"]})
    job = orjson.dumps({"kind": "bench.noop", "args": {}})
    keys = itertools.count()
    prefix = uuid.uuid4().hex
    return {
        "POST task": lambda: load.http("POST", "/v1/tasks", token=token, body=task),
        "POST task, keyed": lambda: load.http(
            "POST", "/v1/tasks", token=token, body=task, extra=f"Idempotency-Key: {prefix}-{next(keys)}\r\n"
        ),
        "POST job": lambda: load.http("POST", "/v1/jobs", token=token, body=job),
        "POST job, keyed": lambda: load.http(
            "POST", "/v1/jobs", token=token, body=job, extra=f"Idempotency-Key: {prefix}-job-{next(keys)}\r\n"
        ),
        "GET task": lambda: load.http("GET", f"/v1/tasks/{task_id}", token=token),
    }


def measure(env: dict[str, str], *, port: int, logs: Path, rounds: int, count: int, connections: int = 8) -> list[Cost]:
    """Runs every server in turn, several rounds each, against the same database."""
    env, token = with_account(env, port=port)
    samples: dict[tuple[str, str], list[tuple[float, float, float]]] = {}
    for _ in range(rounds):
        for name, command in commands(port).items():
            with servers.running(
                command, env=env, log=logs / f"api-{name}.log", cwd=servers.HERE.parent.parent
            ) as server:
                servers.wait_for_http(
                    f"http://127.0.0.1:{port}/v1/tasks/{uuid.uuid4()}", server, Authorization=f"Bearer {token}"
                )
                for operation, request in operations(token, create(port, token)).items():
                    load.run(port, request, count=200, connections=connections)  # warm
                    before = server.cpu_seconds()
                    answers = load.run(port, request, count=count, connections=connections)
                    rate = answers.count / (server.cpu_seconds() - before)
                    samples.setdefault((name, operation), []).append((rate, answers.p50_ms, server.memory_mib()))
    return [
        Cost(name, operation, *(statistics.median(column) for column in zip(*taken, strict=True)))
        for (name, operation), taken in samples.items()
    ]


def with_account(env: dict[str, str], *, port: int) -> tuple[dict[str, str], str]:
    """The environment of the servers, with a new account in the database, and a token of that account."""
    account = uuid.uuid4()
    with psycopg.connect(env["TASKHUB_DATABASE_URL"], autocommit=True) as connection:
        connection.execute(
            "INSERT INTO accounts (id, email, password_hash) VALUES (%s, %s, '!')",
            (account, f"bench-{account}@example.com"),
        )
    token = AccessTokens(ApiSettings.model_validate(_as_fields(env))).sign(Caller(account, Role.USER))
    return {**env, "BENCH_ACCOUNT": str(account), "TASKHUB_API_PORT": str(port), "TASKHUB_METRICS_PORT": "0"}, token


def _as_fields(env: dict[str, str]) -> dict[str, object]:
    fields: dict[str, object] = {
        key.removeprefix("TASKHUB_").lower(): value for key, value in env.items() if key.startswith("TASKHUB_")
    }
    return {**fields, "jwt_keys": orjson.loads(env["TASKHUB_JWT_KEYS"]), "job_kind_modules": ()}


def create(port: int, token: str) -> uuid.UUID:
    """A task to be read."""
    answer = httpx.post(
        f"http://127.0.0.1:{port}/v1/tasks",
        json={"title": "The task that is read", "tags": ["bench"]},
        headers={"Authorization": f"Bearer {token}"},
    )
    answer.raise_for_status()
    return uuid.UUID(answer.json()["id"])
