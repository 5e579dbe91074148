"""The ledger keeps every request, also those of a driver that was killed in the middle."""

import signal
import subprocess
import sys
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from taskhub_local.faults.history import history
from taskhub_local.faults.ledger import Answer, Ledger, Operation, Outcome, Request, read_ledger

CREATE = Request(operation=Operation.CREATE, key="c1", marker="one")


def test_a_ledger_reads_back_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    with Ledger(path) as ledger:
        number = ledger.sent(CREATE)
        ledger.answered(
            number, Answer(status=201, outcome=Outcome.ACKNOWLEDGED, seconds=0.01, task_id=uuid.uuid4(), version=1)
        )
        job = Request(operation=Operation.SUBMIT, key="j1", job_id=uuid.uuid4(), job_kind="faults.effect", size=3)
        ledger.answered(
            ledger.sent(job), Answer(status=None, outcome=Outcome.UNKNOWN, seconds=2.0, detail="ReadTimeout")
        )
        ledger.sent(Request(operation=Operation.SEARCH, key="s1"))
        written = ledger.entries
    assert read_ledger(path) == written
    assert [entry.outcome for entry in written] == [Outcome.ACKNOWLEDGED, Outcome.UNKNOWN, Outcome.UNKNOWN]


def test_a_killed_driver_leaves_its_last_request_as_unknown(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    code = (
        "import os, signal, sys; from pathlib import Path\n"
        "from taskhub_local.faults.ledger import *\n"
        f"ledger = Ledger(Path({str(path)!r}))\n"
        "ledger.sent(Request(operation=Operation.CREATE, key='c1', marker='one'))\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -signal.SIGKILL
    (entry,) = read_ledger(path)
    assert (entry.request, entry.outcome) == (CREATE, Outcome.UNKNOWN)


def test_a_line_cut_short_is_left_out_and_a_damaged_one_is_not(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    with Ledger(path) as ledger:
        ledger.sent(CREATE)
    with path.open("ab") as file:
        file.write(b'{"sent":2,"at":1.0,"oper')
    assert len(read_ledger(path)) == 1
    with path.open("ab") as file:
        file.write(b"\n")
    with pytest.raises(ValueError, match="unexpected"):
        read_ledger(path)


def test_a_ledger_does_not_write_into_another_runs_file(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    Ledger(path).close()
    with pytest.raises(FileExistsError):
        Ledger(path)
    assert path.stat().st_size == 0


def test_the_tries_of_one_write_are_one(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.jsonl") as ledger:
        for outcome in (Outcome.REFUSED, Outcome.UNKNOWN, Outcome.ACKNOWLEDGED):
            ledger.answered(ledger.sent(CREATE), Answer(status=None, outcome=outcome, seconds=0.1))
        (write,) = history(ledger.entries).writes
    assert (len(write.tries), write.outcome) == (3, Outcome.ACKNOWLEDGED)


def test_threads_that_share_a_ledger_lose_no_entry(tmp_path: Path) -> None:
    keys = [f"c{number}" for number in range(2_000)]
    with Ledger(tmp_path / "ledger.jsonl") as ledger, ThreadPoolExecutor(8) as pool:
        numbers = list(pool.map(lambda key: ledger.sent(Request(operation=Operation.CREATE, key=key)), keys))
    assert len(set(numbers)) == len(keys)
    assert {entry.request.key for entry in read_ledger(tmp_path / "ledger.jsonl")} == set(keys)
