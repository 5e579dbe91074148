"""Where the CPU time of one request goes, by package: `python -m tests.bench profile`."""

import json
import re
import signal
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.bench import api_cost, load, servers

_WAIT_SECONDS = 10.0
_PACKAGE = re.compile(r".*/(?:site-packages|src|lib/python3\.\d+)/([^/.]+)")


@dataclass(frozen=True, slots=True)
class Profile:
    """One operation of one server: CPU microseconds a request, in all and within the code of each package itself."""

    server: str
    operation: str
    microseconds: float
    by_package: dict[str, float]


def take(env: dict[str, str], *, port: int, logs: Path, server: str, count: int) -> list[Profile]:
    """Profiles every operation of the server, one after the other."""
    env, token = api_cost.with_account(env, port=port)
    samples = logs / f"samples-{server}.json"
    command = [sys.executable, "-m", "tests.bench.sampler", str(samples), *api_cost.commands(port)[server]]
    with servers.running(command, env=env, log=logs / f"profile-{server}.log", cwd=servers.HERE.parent.parent) as one:
        url = f"http://127.0.0.1:{port}/v1/tasks/{uuid.uuid4()}"
        servers.wait_for_http(url, one, Authorization=f"Bearer {token}")
        operations = api_cost.operations(token, api_cost.create(port, token))
        return [
            _profile(one, server, operation, request, port=port, count=count, samples=samples)
            for operation, request in operations.items()
        ]


def _profile(
    measured: servers.Measured,
    server: str,
    operation: str,
    request: Callable[[], bytes],
    *,
    port: int,
    count: int,
    samples: Path,
) -> Profile:
    load.run(port, request, count=200, connections=8)  # warm
    samples.unlink(missing_ok=True)
    measured.process.send_signal(signal.SIGUSR1)
    before = measured.cpu_seconds()
    load.run(port, request, count=count, connections=8)
    microseconds = 1e6 * (measured.cpu_seconds() - before) / count
    measured.process.send_signal(signal.SIGUSR2)
    end = time.monotonic() + _WAIT_SECONDS
    while not samples.exists():
        if time.monotonic() > end:
            raise TimeoutError("the sampler wrote nothing")
        time.sleep(0.05)
    packages: Counter[str] = Counter()
    for stack, times in json.loads(samples.read_text()):
        found = _PACKAGE.match(stack[0][1])
        packages[found[1] if found else "python"] += times
    share = microseconds / packages.total()
    return Profile(server, operation, microseconds, {name: n * share for name, n in packages.most_common()})
