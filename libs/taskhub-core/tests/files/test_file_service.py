"""Files: what comes in comes out, to its owner, for as long as it is kept."""

import hashlib
import uuid
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, text

from taskhub_core.errors import InvalidInput, NotFound
from taskhub_core.files import service
from taskhub_core.files.service import MAX_BYTES, StoredFile


def _save(engine: Engine, account_id: uuid.UUID, content: bytes = b"\x00data\xff", **options: Any) -> StoredFile:
    options = {"name": "tasks.csv", "content_type": "text/csv", **options}
    with engine.begin() as connection:
        return service.save(connection, account_id, content=content, **options)


def test_content_comes_back_as_it_was(engine: Engine, account_id: uuid.UUID) -> None:
    content = bytes(range(256)) * 100
    saved = _save(engine, account_id, content, keep_days=3)
    with engine.connect() as connection:
        found = service.get_content(connection, account_id, saved.id)
        assert service.describe(connection, account_id, saved.id) == saved
    assert found.content == content
    assert found.file == saved
    assert (saved.size, saved.sha256) == (25_600, hashlib.sha256(content).digest())
    assert saved.expires_at - saved.created_at == timedelta(days=3)


def test_the_largest_file_is_kept_and_a_larger_one_refused(engine: Engine, account_id: uuid.UUID) -> None:
    assert _save(engine, account_id, b"x" * MAX_BYTES).size == MAX_BYTES
    with pytest.raises(InvalidInput) as refused:
        _save(engine, account_id, b"x" * (MAX_BYTES + 1))
    assert refused.value.field == "content"


def test_other_accounts_and_expired_files_do_not_exist(
    engine: Engine, account_id: uuid.UUID, make_account: Any
) -> None:
    theirs = _save(engine, make_account()).id
    expired = _save(engine, account_id).id
    with engine.begin() as connection:
        connection.execute(text("UPDATE files SET expires_at = now() WHERE id = :id"), {"id": expired})
    with engine.connect() as connection:
        for file_id in (theirs, expired, uuid.uuid4()):
            with pytest.raises(NotFound):
                service.get_content(connection, account_id, file_id)
            with pytest.raises(NotFound):
                service.describe(connection, account_id, file_id)


@pytest.mark.parametrize(
    "options",
    [
        {"name": ""},
        {"name": "x" * 201},
        {"name": "a\r\nSet-Cookie: b"},
        {"name": "a\x00b"},
        {"content_type": "text/csv\nX: y"},
        {"content_type": ""},
    ],
)
def test_names_that_would_break_a_header_are_refused(
    engine: Engine, account_id: uuid.UUID, options: dict[str, str]
) -> None:
    with pytest.raises(InvalidInput):
        _save(engine, account_id, **options)
