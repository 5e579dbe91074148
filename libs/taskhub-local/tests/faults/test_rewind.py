"""After a restore the ledger has what was answered before the point, and has never heard of what was asked after it."""

import uuid

import pytest

from taskhub_local.faults.ledger import Answer, Entry, Operation, Outcome, Request
from taskhub_local.faults.rewind import Rewind, rewound

POINT, RESUMED = 100.0, 200.0
TASK = uuid.UUID(int=1)


def sent(
    at: float,
    operation: Operation = Operation.SUBMIT,
    outcome: Outcome = Outcome.ACKNOWLEDGED,
    *,
    seconds: float = 1.0,
    about: uuid.UUID | None = None,
) -> Entry:
    """A request; a create is answered with the task that it is about, every other one names it."""
    made = about if operation is Operation.CREATE else None
    request = Request(operation=operation, key=f"at {at}", task_id=None if made else about)
    return Entry(
        number=0,
        request=request,
        sent_at=at,
        answer=Answer(status=None, outcome=outcome, seconds=seconds, task_id=made),
    )


def outcomes(*entries: Entry) -> list[Outcome]:
    return [entry.outcome for entry in rewound(entries, Rewind(POINT, RESUMED))]


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        pytest.param(sent(90), [Outcome.ACKNOWLEDGED], id="answered before the point"),
        pytest.param(sent(99.5), [Outcome.UNKNOWN], id="answered after it"),
        pytest.param(sent(101), [], id="asked after it"),
        pytest.param(sent(201), [Outcome.ACKNOWLEDGED], id="asked when TaskHub ran again"),
    ],
)
def test_what_is_certain_of_a_write(entry: Entry, expected: list[Outcome]) -> None:
    assert outcomes(entry) == expected


def test_a_client_may_be_told_that_a_task_is_gone_which_was_made_after_the_point() -> None:
    made = sent(101, Operation.CREATE, about=TASK)
    refused = sent(201, Operation.CHANGE, Outcome.REFUSED, about=TASK)
    assert outcomes(made, refused) == []


def test_a_change_that_such_a_task_takes_is_not_overlooked() -> None:
    made = sent(101, Operation.CREATE, about=TASK)
    changed = sent(201, Operation.CHANGE, about=TASK)
    assert outcomes(made, changed) == [Outcome.ACKNOWLEDGED]


def test_a_task_that_takes_changes_was_made_although_its_answer_came_after_the_point() -> None:
    made = sent(99.5, Operation.CREATE, about=TASK)
    changed = sent(201, Operation.CHANGE, about=TASK)
    assert outcomes(made, changed) == [Outcome.ACKNOWLEDGED, Outcome.ACKNOWLEDGED]
    assert outcomes(made, sent(201, Operation.CHANGE, Outcome.REFUSED, about=TASK)) == [Outcome.UNKNOWN]
