"""The secrets of one state folder: made once, readable by their owner only."""

import secrets
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


def _key() -> str:
    return secrets.token_urlsafe(48)


def _password() -> str:
    return secrets.token_urlsafe(12)


class LocalSecrets(BaseModel):
    """What the platform needs to keep for itself and what its first two accounts log in with."""

    model_config = ConfigDict(frozen=True)

    jwt_key_id: str = "local-1"
    jwt_key: str = Field(default_factory=_key)
    demo_email: str = "demo@example.com"
    demo_password: str = Field(default_factory=_password)
    operator_email: str = "operator@example.com"
    operator_password: str = Field(default_factory=_password)


def load_or_create(path: Path) -> LocalSecrets:
    """Return the secrets of a file, making it with mode 0600 if there is none."""
    if path.exists():
        return LocalSecrets.model_validate_json(path.read_text())
    made = LocalSecrets()
    write_private(path, made.model_dump_json(indent=2))
    return made


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read; a reader sees the old text or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    temporary.unlink(missing_ok=True)
    temporary.touch(mode=0o600)
    temporary.write_text(text)
    temporary.replace(path)
