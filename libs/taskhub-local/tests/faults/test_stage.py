"""What a case clears up at its end disturbs nothing that is measured."""

import asyncio
import time
from pathlib import Path
from typing import Any, cast

import pytest

from taskhub_local.faults.client import Client, Credentials
from taskhub_local.faults.ledger import Answer, Ledger, Operation, Outcome, Request
from taskhub_local.faults.stage import Stage

_ANSWER = Answer(status=201, outcome=Outcome.ACKNOWLEDGED, seconds=1.0)


@pytest.mark.asyncio
async def test_a_case_ends_when_all_that_was_sent_before_has_its_answer(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.jsonl") as ledger:
        number = ledger.sent(_create("measured"))
        async with Client("http://127.0.0.1:1", Credentials("a@example.com", "secret"), ledger) as client:
            nowhere = cast("Any", None)  # neither the platform nor what it holds is asked
            stage = Stage(nowhere, client, nowhere, kinds=True, host=None, say=print, look_seconds=0.01)
            ending = asyncio.create_task(stage.ends_here())
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(asyncio.shield(ending), 0.3)
            ledger.sent(_create("clearing up"))  # whose answer nobody waits for
            ledger.answered(number, _ANSWER)
            answered_at = time.time()
            await asyncio.wait_for(ending, 10)
            assert stage.measured_until < answered_at


def _create(key: str) -> Request:
    return Request(operation=Operation.CREATE, key=key)
