"""What the driver writes into the notes of its tasks, so that each row tells which request or job made it."""

import uuid

_CREATED = "ledger"
_IMPORTED = "import"


def created_by(key: str) -> str:
    """The notes of the task that the create with this Idempotency-Key makes. Changes leave notes alone."""
    return f"{_CREATED} {key}"


def imported_by(job_id: uuid.UUID, number: int) -> str:
    """The notes of the task that entry `number` of an import makes."""
    return f"{_IMPORTED} {job_id} {number}"


def creator(notes: str) -> str | None:
    """The key of the create that made the row, or None if no create of the driver did."""
    word, _, key = notes.partition(" ")
    return key if word == _CREATED and key else None


def importer(notes: str) -> tuple[uuid.UUID, int] | None:
    """The import job and the number of its entry that made the row, or None if no import of the driver did."""
    parts = notes.split(" ")
    if len(parts) != 3 or parts[0] != _IMPORTED:
        return None
    return uuid.UUID(parts[1]), int(parts[2])
