"""Runs a Python script and samples its stack by CPU time, from within: needs neither ptrace nor hardware counters.

    python -m tests.bench.sampler SAMPLES.json SCRIPT ARGUMENTS...

SIGUSR1 begins (again), SIGUSR2 writes the samples: a JSON list of [[[function, file], ... innermost first], count].
"""

import json
import runpy
import signal
import sys
from collections import Counter
from pathlib import Path
from types import CodeType, FrameType

_INTERVAL_SECONDS = 0.001  # of CPU; the kernel's tick makes it some milliseconds

_stacks: Counter[tuple[CodeType, ...]] = Counter()


def _sample(_signal: int, frame: FrameType | None) -> None:
    stack = []
    while frame is not None:
        stack.append(frame.f_code)
        frame = frame.f_back
    _stacks[tuple(stack)] += 1


def _begin(_signal: int, _frame: FrameType | None) -> None:
    _stacks.clear()
    signal.setitimer(signal.ITIMER_PROF, _INTERVAL_SECONDS, _INTERVAL_SECONDS)


def _write(path: Path) -> None:
    signal.setitimer(signal.ITIMER_PROF, 0)
    samples = [([(code.co_qualname, code.co_filename) for code in stack], count) for stack, count in _stacks.items()]
    unfinished = path.with_suffix(".part")
    unfinished.write_text(json.dumps(samples))
    unfinished.rename(path)


def main() -> None:
    """Becomes the script."""
    path, script = Path(sys.argv[1]), sys.argv[2]
    signal.signal(signal.SIGPROF, _sample)
    signal.siginterrupt(signal.SIGPROF, False)
    signal.signal(signal.SIGUSR1, _begin)
    signal.signal(signal.SIGUSR2, lambda *_: _write(path))
    sys.argv = sys.argv[2:]
    runpy.run_path(script, run_name="__main__")


if __name__ == "__main__":
    main()
