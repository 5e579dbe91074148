"""Ports for servers: out of reach of outgoing connections, and each for one process."""

import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from taskhub_local import ports
from taskhub_local.platform.plan import Ports

_ANOTHER_PROCESS = """
from taskhub_local import ports
ports._FOR_SERVERS = range({start}, {stop})
print(ports.any_free())
"""


def _asked_by_another_process(choice: range) -> str:
    code = _ANOTHER_PROCESS.format(start=choice.start, stop=choice.stop)
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    return ended.stdout.strip() or ended.stderr.strip().splitlines()[-1]


def test_no_connection_takes_a_servers_port() -> None:
    low, high = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())

    for port in (ports.any_free(), *asdict(Ports()).values()):
        assert not low <= port <= high


def test_a_port_goes_to_one_process_before_anything_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    choice = range(ports._FOR_SERVERS.start - 2, ports._FOR_SERVERS.start)  # Two that no other test gets.
    monkeypatch.setattr(ports, "_FOR_SERVERS", choice)

    first = ports.any_free()
    (second,) = set(choice) - {first}

    assert _asked_by_another_process(choice) == str(second)
    assert ports.any_free() == second  # The other process has ended.
    assert _asked_by_another_process(choice) == f"OSError: no free TCP port from {choice[0]} to {choice[-1]}"
    with pytest.raises(OSError, match="no free TCP port"):
        ports.any_free()
