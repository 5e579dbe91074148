"""What can be done with files: keep one for a while, describe it, hand its content back to the account that owns it."""

import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from taskhub_core.errors import InvalidInput, NotFound
from taskhub_core.ids import new_id

MAX_BYTES = 10 * 1024 * 1024
KEEP_DAYS = 7
NAME_CHARS = 200
CONTENT_TYPE_CHARS = 200


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file without its content."""

    id: uuid.UUID
    account_id: uuid.UUID
    name: str
    content_type: str
    size: int
    """Bytes."""
    sha256: bytes
    created_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class FileContent:
    """A file with its content."""

    file: StoredFile
    content: bytes


_COLUMNS = "id, account_id, name, content_type, size, sha256, created_at, expires_at"
_SAVE = text(
    f"""
    INSERT INTO files (id, account_id, name, content_type, size, sha256, content, expires_at)
    VALUES (:id, :account_id, :name, :content_type, :size, :sha256, :content, now() + make_interval(days => :keep_days))
    RETURNING {_COLUMNS}
    """  # noqa: S608 - no value is formatted in
)
# An expired file is gone for everyone, whether retention has deleted its row already or not.
_OWN = "FROM files WHERE id = :id AND account_id = :account_id AND expires_at > now()"
_DESCRIBE = text(f"SELECT {_COLUMNS} {_OWN}")
_GET = text(f"SELECT {_COLUMNS}, content {_OWN}")


def save(
    connection: Connection,
    account_id: uuid.UUID,
    *,
    name: str,
    content_type: str,
    content: bytes,
    keep_days: int = KEEP_DAYS,
    file_id: uuid.UUID | None = None,
) -> StoredFile:
    """Stores the file for `keep_days`, under `file_id` or a new id.

    Raises InvalidInput when the content is over MAX_BYTES, or the name or the content type cannot be kept.
    """
    if len(content) > MAX_BYTES:
        raise InvalidInput(
            f"The file has {len(content):,} bytes; at most {MAX_BYTES:,} are allowed. Split it into smaller ones.",
            field="content",
        )
    row = connection.execute(
        _SAVE,
        {
            "id": file_id or new_id(),
            "account_id": account_id,
            "name": _header_text("name", name, NAME_CHARS),
            "content_type": _header_text("content_type", content_type, CONTENT_TYPE_CHARS),
            "size": len(content),
            "sha256": hashlib.sha256(content).digest(),
            "content": content,
            "keep_days": keep_days,
        },
    ).one()
    return _file(row._mapping)


def describe(connection: Connection, account_id: uuid.UUID, file_id: uuid.UUID) -> StoredFile:
    """The file without its content. Raises NotFound, also for other accounts' files and for expired ones."""
    return _file(_own_row(connection, _DESCRIBE, account_id, file_id))


def get_content(connection: Connection, account_id: uuid.UUID, file_id: uuid.UUID) -> FileContent:
    """The file with its content. Raises NotFound, also for other accounts' files and for expired ones."""
    row = _own_row(connection, _GET, account_id, file_id)
    return FileContent(_file(row), bytes(row["content"]))


def _own_row(connection: Connection, statement: Any, account_id: uuid.UUID, file_id: uuid.UUID) -> Mapping[Any, Any]:
    row = connection.execute(statement, {"id": file_id, "account_id": account_id}).one_or_none()
    if row is None:
        raise NotFound(f"There is no file {file_id}. Files are deleted some days after they were stored.")
    return row._mapping


def _file(row: Mapping[Any, Any]) -> StoredFile:
    return StoredFile(
        id=row["id"],
        account_id=row["account_id"],
        name=row["name"],
        content_type=row["content_type"],
        size=row["size"],
        sha256=bytes(row["sha256"]),
        created_at=row["created_at"],
        expires_at=row["expires_at"],
    )


def _header_text(field: str, value: str, limit: int) -> str:
    """Names and types are sent back in headers: what would end a header or a path there is refused here."""
    if not value or len(value) > limit:
        raise InvalidInput(f"{field} must have 1 to {limit} characters, not {len(value)}.", field=field)
    if not value.isprintable():
        raise InvalidInput(f"{field} contains a control character.", field=field)
    return value
