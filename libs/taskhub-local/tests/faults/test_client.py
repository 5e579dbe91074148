"""The driver's client concludes from an answer what the documentation says, and repeats under the same key."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from taskhub_local.errors import LocalError
from taskhub_local.faults.client import Client, Credentials, HttpCall
from taskhub_local.faults.history import history
from taskhub_local.faults.ledger import Ledger, Operation, Outcome, Request, read_ledger
from taskhub_local.ports import any_free

from .scripted import CUT, HANG, Scripted, scripted_server

pytestmark = pytest.mark.asyncio

CREATE = Request(operation=Operation.CREATE, key="c1", marker="one")
CALL = HttpCall("POST", "/v1/tasks", json={"title": "one"})
ACCOUNT = Credentials("someone@example.com", "a long enough password")


@asynccontextmanager
async def talking(tmp_path: Path, *script: str | tuple[int, str]) -> AsyncIterator[tuple[Client, Scripted]]:
    async with scripted_server(*script) as server:
        with Ledger(tmp_path / "ledger.jsonl") as ledger:
            async with Client(server.url, ACCOUNT, ledger, timeout_seconds=0.5) as client:
                await client.log_in()
                yield client, server


@pytest.mark.parametrize(
    ("step", "outcome"),
    [
        ((201, ""), Outcome.ACKNOWLEDGED),
        ((412, "version-mismatch"), Outcome.REFUSED),
        ((503, "unavailable"), Outcome.REFUSED),
        ((503, "overloaded"), Outcome.REFUSED),
        ((503, "outcome-unknown"), Outcome.UNKNOWN),
        ((500, "internal"), Outcome.UNKNOWN),
        ((502, ""), Outcome.UNKNOWN),
        (CUT, Outcome.UNKNOWN),
        (HANG, Outcome.UNKNOWN),
    ],
)
async def test_an_answer_is_taken_for_what_it_says(
    tmp_path: Path, step: str | tuple[int, str], outcome: Outcome
) -> None:
    async with talking(tmp_path, step) as (client, _):
        done = await client.once(CREATE, CALL)
    assert done.answer.outcome is outcome
    assert [entry.outcome for entry in read_ledger(tmp_path / "ledger.jsonl")] == [outcome]


async def test_a_write_is_repeated_under_its_key_until_it_is_settled(tmp_path: Path) -> None:
    async with talking(tmp_path, (503, "unavailable"), CUT, (503, "outcome-unknown")) as (client, server):
        done = await client.until_settled(CREATE, CALL, patience_seconds=30)
        (write,) = history(client.ledger.entries).writes
    assert done.answer.status == 201
    assert server.keys == ["c1"] * 4
    assert (len(write.tries), write.outcome) == (4, Outcome.ACKNOWLEDGED)


async def test_a_refusal_that_repeating_cannot_mend_is_not_repeated(tmp_path: Path) -> None:
    async with talking(tmp_path, (412, "version-mismatch")) as (client, server):
        done = await client.until_settled(CREATE, CALL, patience_seconds=30)
    assert (done.answer.status, server.keys) == (412, ["c1"])


async def test_patience_has_an_end(tmp_path: Path) -> None:
    async with talking(tmp_path, *[(503, "unavailable")] * 50) as (client, _):
        done = await client.until_settled(CREATE, CALL, patience_seconds=0.3)
    assert done.answer.outcome is Outcome.REFUSED


async def test_a_connection_that_was_never_opened_changed_nothing(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.jsonl") as ledger:
        async with (
            talking(tmp_path / "other") as (logged_in, _),
            Client(f"http://127.0.0.1:{any_free()}", ACCOUNT, ledger) as client,
        ):
            client.take_token_of(logged_in)
            done = await client.once(CREATE, CALL)
    assert (done.answer.outcome, done.answer.detail) == (Outcome.REFUSED, "ConnectError")


async def test_the_driver_talks_to_this_machine_only(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.jsonl") as ledger, pytest.raises(LocalError, match="this machine only"):
        Client("http://192.0.2.1:8000", ACCOUNT, ledger)
