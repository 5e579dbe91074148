"""One `taskhub up` a folder, on free ports, cleaning up after a dead one, and keeping its parts running."""

import os
import signal
import socket
import stat
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

import psutil
import pytest

from taskhub_local.errors import AlreadyRunningError, NotRunningError
from taskhub_local.parts.base import PartFolders
from taskhub_local.parts.redis import RedisPart
from taskhub_local.platform.keeper import Keeper
from taskhub_local.platform.lock import state_lock
from taskhub_local.platform.plan import Ports, choose_ports
from taskhub_local.platform.platform import Platform, PlatformOptions
from taskhub_local.platform.runfile import PartState, read_run, run_file, supervisor_record, write_run
from taskhub_local.platform.secrets import load_or_create
from taskhub_local.ports import any_free, is_free
from taskhub_local.process.guardian import is_alive
from taskhub_local.process.leftovers import remove_all
from taskhub_local.process.record import ProcessRecord
from taskhub_local.testing import wait_for


@pytest.fixture
def free_ports() -> Ports:
    base = 20_000 + os.getpid() % 10_000
    wanted = {name: base + step for step, name in enumerate(asdict(Ports()))}
    return choose_ports(Ports(**wanted))[0]


def test_a_taken_port_moves_on_and_takes_no_other_parts_port() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        chosen, moved = choose_ports(Ports(redis=port, sqs=port + 1))
    assert [(m.name, m.wanted) for m in moved if m.name == "redis"] == [("redis", port)]
    assert chosen.redis > port + 1, "Redis took the port that SQS was going to have"
    assert len(set(asdict(chosen).values())) == len(asdict(chosen))


def test_a_second_up_says_who_holds_the_folder(tmp_path: Path) -> None:
    holder = textwrap.dedent(f"""
        import time
        from pathlib import Path
        from taskhub_local.platform.lock import state_lock
        with state_lock(Path({str(tmp_path)!r})):
            print("held", flush=True)
            time.sleep(60)
    """)
    with subprocess.Popen([sys.executable, "-c", holder], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with pytest.raises(AlreadyRunningError, match=f"process {process.pid} already runs"), state_lock(tmp_path):
            pass
        process.kill()
        process.wait()
    with state_lock(tmp_path) as stale:
        assert stale == process.pid, "the dead holder was not noticed"
    with state_lock(tmp_path) as stale:
        assert stale is None


def test_a_leftover_process_is_stopped_and_named(tmp_path: Path) -> None:
    abandoned = RedisPart(PartFolders(tmp_path), any_free())
    abandoned.start()
    abandoned.wait_ready()
    pid = abandoned.pid
    assert pid is not None
    abandoned.release()
    assert remove_all(tmp_path / "run", tmp_path) == [("redis", pid)]
    assert not is_alive(pid)
    assert remove_all(tmp_path / "run", tmp_path) == []


def test_a_process_that_its_dead_supervisor_had_no_time_to_record_is_stopped_too(tmp_path: Path) -> None:
    elsewhere = RedisPart(PartFolders(tmp_path / "elsewhere"), any_free())
    abandoned = RedisPart(PartFolders(tmp_path / "ours"), any_free())
    for part in (elsewhere, abandoned):
        part.start()
        part.wait_ready()
    pid = abandoned.pid
    assert pid is not None
    abandoned.release()
    PartFolders(tmp_path / "ours").record("redis").unlink()
    try:
        assert remove_all(tmp_path / "ours" / "run", tmp_path / "ours") == [("a part that was never recorded", pid)]
        assert not is_alive(pid)
        assert elsewhere.pid is not None, "a part of another platform was stopped"
    finally:
        elsewhere.stop()


def test_a_process_that_only_has_the_same_pid_is_left_alone(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True) as innocent:
        earlier = psutil.Process(innocent.pid).create_time() - 3600
        path = PartFolders(tmp_path).record("redis")
        ProcessRecord("redis", innocent.pid, earlier, signal.SIGTERM).write(path)
        assert remove_all(path.parent, tmp_path) == []
        assert innocent.poll() is None, "a stranger was stopped"
        assert not path.exists()
        innocent.kill()


def test_children_of_a_dead_leader_are_ended_but_only_in_our_folder(tmp_path: Path) -> None:
    code = "import subprocess, sys; print(subprocess.Popen(['sleep', '60']).pid, flush=True)"
    children = []
    for folder in (tmp_path / "ours", tmp_path / "elsewhere"):
        folder.mkdir()
        leader = subprocess.Popen(
            [sys.executable, "-c", code], cwd=folder, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        assert leader.stdout is not None
        with leader.stdout:
            children.append(int(leader.stdout.readline()))
        leader.wait()
        path = PartFolders(tmp_path).record(folder.name)
        ProcessRecord(folder.name, leader.pid, 0.0, signal.SIGTERM).write(path)
    try:
        remove_all(tmp_path / "run", tmp_path / "ours")
        wait_for(lambda: not is_alive(children[0]), message="our orphan lives on")
        assert is_alive(children[1])
    finally:
        for child in children:
            if is_alive(child):
                os.kill(child, signal.SIGKILL)


@pytest.fixture
def kept_redis(tmp_path: Path) -> Iterator[Keeper]:
    keeper = Keeper(RedisPart(PartFolders(tmp_path), any_free()), lambda _: None)
    keeper.start()
    assert keeper.wait_settled(10)
    yield keeper
    keeper.stop()


def test_a_killed_part_is_started_again(kept_redis: Keeper) -> None:
    first = kept_redis.part.pid
    kept_redis.part.kill(signal.SIGKILL)
    wait_for(lambda: kept_redis.restarts == 1 and kept_redis.state is PartState.READY, deadline_seconds=20)
    assert kept_redis.part.pid not in {None, first}


def test_a_held_part_stays_down_until_it_is_resumed(kept_redis: Keeper) -> None:
    kept_redis.hold()
    kept_redis.part.kill(signal.SIGKILL)
    wait_for(lambda: "held down" in kept_redis.detail, message="the keeper did not notice")
    with pytest.raises(AssertionError, match="still down"):  # for longer than the keeper's first pause
        wait_for(lambda: kept_redis.part.pid, deadline_seconds=2.5, message="still down")
    kept_redis.resume()
    wait_for(lambda: kept_redis.state is PartState.READY, deadline_seconds=20, message="Redis did not come back")


def test_a_part_that_cannot_start_is_reported_with_its_last_words(tmp_path: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        keeper = Keeper(RedisPart(PartFolders(tmp_path), taken.getsockname()[1]), lambda _: None)
        keeper.start()
        assert keeper.wait_settled(20)
        assert keeper.state is PartState.FAILED
        assert "Failed listening on port" in keeper.detail or "bind" in keeper.detail
        assert "starting it again in 1 s" in keeper.detail
        keeper.stop()


def test_secrets_are_made_once_and_only_their_owner_reads_them(tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"
    made = load_or_create(path)
    assert len(made.jwt_key.encode()) >= 32
    assert load_or_create(path) == made
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_run_file_tells_other_commands_what_runs(tmp_path: Path, free_ports: Ports) -> None:
    platform = Platform(PlatformOptions(tmp_path, free_ports, elasticsearch=False))
    with pytest.raises(NotRunningError, match="make up"):
        read_run(tmp_path)
    with state_lock(tmp_path):
        write_run(tmp_path, platform.run_info())
        run = read_run(tmp_path)
        assert (run.pid, run.part("redis").url) == (os.getpid(), f"redis://127.0.0.1:{free_ports.redis}/0")
        assert run.environment["TASKHUB_DATABASE_URL"] == platform.postgres.url
        assert "TASKHUB_ELASTICSEARCH_URL" not in run.environment
        assert stat.S_IMODE(run_file(tmp_path).stat().st_mode) == 0o600
    assert not run_file(tmp_path).exists()
    assert not supervisor_record(tmp_path).exists()


def test_a_port_in_use_is_not_free() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        assert not is_free(taken.getsockname()[1])
