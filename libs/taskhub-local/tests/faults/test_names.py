"""A name leads where the test says, to one process and from its next connection on; other names are as ever."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from taskhub_local.faults.names import Names

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")

CODE = """
import asyncio, socket, sys

def asked():
    return socket.getaddrinfo("moved.taskhub.test", 1, type=socket.SOCK_STREAM)[0][4][0]

async def asked_by_a_loop():
    return (await asyncio.get_running_loop().getaddrinfo("moved.taskhub.test", 1))[0][4][0]

print(asked(), flush=True)
sys.stdin.readline()
print(asked(), asyncio.run(asked_by_a_loop()), socket.getaddrinfo("localhost", 1, socket.AF_INET)[0][4][0])
"""


def test_a_process_that_runs_finds_the_name_at_its_new_address(tmp_path: Path) -> None:
    names = Names(tmp_path)
    names.lead("other.taskhub.test", "127.0.0.9")
    names.lead("moved.taskhub.test", "127.0.0.1")
    with subprocess.Popen(
        [sys.executable, "-c", CODE],
        env={**os.environ, **names.variables},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline().split() == ["127.0.0.1"]
        names.lead("moved.taskhub.test", "127.0.0.2")
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.stdout.readline().split() == ["127.0.0.2", "127.0.0.2", "127.0.0.1"]
