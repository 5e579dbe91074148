"""One process's clock can be shifted without touching the machine's, or the process's own waits."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from taskhub_local.faults.cases.clock import skewed

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")

CODE = """
import datetime, threading, time
began = time.monotonic()
threading.Lock().acquire()
lock = threading.Lock(); lock.acquire(); lock.acquire(timeout=0.2)
print(time.time(), datetime.datetime.now(datetime.UTC).timestamp(), time.monotonic() - began)
"""


@pytest.mark.parametrize("seconds", [3_600, -3_600])
def test_the_wall_clock_is_shifted_and_a_wait_is_as_long_as_ever(tmp_path: Path, seconds: int) -> None:
    environment = {**os.environ, **skewed(tmp_path, seconds)}
    command = [sys.executable, "-c", CODE]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=60)
    shown, as_datetime, waited = map(float, result.stdout.split())
    assert abs(shown - time.time() - seconds) < 60
    assert abs(as_datetime - shown) < 60
    assert 0.19 < waited < 30
