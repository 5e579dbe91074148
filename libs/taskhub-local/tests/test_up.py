"""`taskhub up` as a person runs it: everything starts, survives a killed part, stops cleanly and keeps its data."""

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import httpx
import pytest

from taskhub_local.parts.app import script
from taskhub_local.platform.plan import Ports, choose_ports
from taskhub_local.platform.runfile import PartState, RunInfo, read_run
from taskhub_local.process.guardian import is_alive, stop_all
from taskhub_local.testing import wait_for

START_SECONDS = 150.0
STOP_SECONDS = 90.0
pytestmark = pytest.mark.timeout(480)


def free_ports() -> Ports:
    # Below the range that the system gives to outgoing connections, and elsewhere for each test process.
    base = 20_000 + os.getpid() % 10_000
    return choose_ports(Ports(**{name: base + step for step, name in enumerate(asdict(Ports()))}))[0]


def taskhub(state: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [script("taskhub"), "--state-dir", str(state), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


class Up:
    """A running `taskhub up`."""

    def __init__(self, process: subprocess.Popen[bytes], output: Path, state: Path) -> None:
        self.process = process
        self.output = output
        self.state = state

    def said(self) -> str:
        return self.output.read_text()

    def run(self) -> RunInfo:
        return read_run(self.state)

    def wait_until_it_is_up(self) -> None:
        def up_or_ended() -> bool:
            assert self.process.poll() is None, self.said()
            return "TaskHub is up" in self.said()

        wait_for(up_or_ended, deadline_seconds=START_SECONDS, message="the platform did not come up")

    def stop(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        return self.process.wait(STOP_SECONDS)


@contextmanager
def started(state: Path, ports: Ports, environment: dict[str, str]) -> Iterator[Up]:
    options = [text for name, port in asdict(ports).items() for text in (f"--{name.replace('_', '-')}-port", str(port))]
    command = [script("taskhub"), "--state-dir", str(state), "up", "--no-elasticsearch", "--worker-processes", "1"]
    output = state.parent / f"{state.name}.out"
    with output.open("wb") as sink:
        process = subprocess.Popen(
            [*command, *options], stdout=sink, stderr=subprocess.STDOUT, env={**os.environ, **environment}
        )
    try:
        yield Up(process, output, state)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        if any((state / "run").glob("*.json")):
            stop_all(state)


def test_the_whole_platform_on_this_machine(tmp_path: Path, elasticsearch_url: str, search_alias: str) -> None:
    # The index is the one that all tests share: another Elasticsearch would only cost memory.
    index = {"TASKHUB_ELASTICSEARCH_URL": elasticsearch_url, "TASKHUB_SEARCH_ALIAS": search_alias}
    state, ports = tmp_path / "state", free_ports()
    with started(state, ports, index) as up:
        up.wait_until_it_is_up()
        run = up.run()
        assert {part.state for part in run.parts} == {PartState.READY}
        for url in run.metrics_urls.values():
            assert "taskhub_" in httpx.get(url, timeout=10).text

        second = taskhub(state, "up", "--no-elasticsearch")
        assert (second.returncode, f"process {up.process.pid} already runs" in second.stderr) == (1, True)
        assert taskhub(state, "status").returncode == 0
        assert "worker starts" in taskhub(state, "logs", "worker").stdout

        demo = taskhub(state, "demo")
        assert demo.returncode == 0, demo.stdout + demo.stderr
        assert re.search(r"search with typos: .*from elasticsearch", demo.stdout)

        killed = run.part("worker").pid
        assert killed is not None
        os.kill(killed, signal.SIGKILL)
        wait_for(
            lambda: "worker is ready again" in up.said(), deadline_seconds=90, message="the worker did not come back"
        )
        assert up.run().part("worker").pid not in {None, killed}

        running = [part.pid for part in up.run().parts if part.pid is not None]
        assert up.stop(signal.SIGINT) == 0, up.said()
        assert [pid for pid in running if is_alive(pid)] == []
        assert "data stays in" in up.said()
        assert taskhub(state, "status").returncode == 1

    with started(state, ports, index) as up:
        up.wait_until_it_is_up()
        again = up.run()
        assert again.demo == run.demo
        login = {"email": run.demo.email, "password": run.demo.password}
        assert httpx.post(f"{again.api_url}/v1/token", json=login, timeout=30).status_code == 200
        assert taskhub(state, "down").returncode == 0
        assert up.process.wait(STOP_SECONDS) == 0


def test_a_killed_up_is_cleaned_up_by_the_next_one(tmp_path: Path) -> None:
    state, ports = tmp_path / "state", free_ports()
    with started(state, ports, {}) as up:
        wait_for(lambda: "redis is ready" in up.said(), deadline_seconds=60, message=up.said())
        up.process.kill()
        up.process.wait()
        redis = RunInfo.model_validate_json((state / "run.json").read_text()).part("redis").pid
        assert redis is not None
        assert is_alive(redis), "the test needs a leftover"
        with started(state, ports, {}) as following:
            wait_for(lambda: "redis is ready" in following.said(), deadline_seconds=60, message=following.said())
            assert f"an earlier run (process {up.process.pid}) ended without cleaning up" in following.said()
            assert f"stopped redis (process {redis}), left over from an earlier run" in following.said()
            assert "is taken" not in following.said(), "the leftover kept its port"
            assert not is_alive(redis)
            assert following.stop(signal.SIGTERM) == 0


def test_ctrl_c_while_starting_stops_what_has_started(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with started(state, free_ports(), {}) as up:
        wait_for(lambda: "redis is ready" in up.said(), deadline_seconds=60, message=up.said())
        assert up.stop(signal.SIGINT) == 0
        assert "everything is stopped" in up.said()
        assert not any((state / "run").glob("*.json"))


def test_a_reader_that_goes_away_does_not_keep_the_platform_from_stopping(tmp_path: Path) -> None:
    state = tmp_path / "state"
    options = [f"--{name.replace('_', '-')}-port={port}" for name, port in asdict(free_ports()).items()]
    command = [script("taskhub"), "--state-dir", str(state), "up", "--no-elasticsearch", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        assert process.stdout is not None
        while b"redis is ready" not in process.stdout.readline():
            assert process.poll() is None
        process.stdout.close()
        process.send_signal(signal.SIGTERM)
        assert process.wait(STOP_SECONDS) == 0
    assert not any((state / "run").glob("*.json")), "something still runs"


def test_commands_say_what_to_do_when_nothing_runs(tmp_path: Path) -> None:
    for command in ("status", "demo", "reindex", "down"):
        result = taskhub(tmp_path / "state", command)
        assert (result.returncode, result.stderr.startswith("taskhub: nothing runs in")) == (1, True), result.stderr
    result = taskhub(tmp_path / "state", "logs", "worker")
    assert (result.returncode, "logs there are: none yet" in result.stderr) == (1, True)


def test_settings_lists_every_variable_with_its_default() -> None:
    listing = subprocess.run([script("taskhub"), "settings"], capture_output=True, text=True, check=True).stdout
    assert "| `TASKHUB_DATABASE_URL` | required |" in listing
    assert "| `TASKHUB_API_PORT` | `8000` |" in listing
