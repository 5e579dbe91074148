"""Keeps webhook deliveries in a file, one line each, so that a restart forgets none that was answered with 2xx."""

import json
import threading
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self


@dataclass(frozen=True, slots=True)
class Delivery:
    """One webhook request that was taken."""

    hook: str
    """The name at the end of the URL that it was sent to: tells one receiver's deliveries from another's."""
    delivery_id: str
    event_id: str
    signature: str
    body: str

    @classmethod
    def read(cls, hook: str, headers_id: str | None, signature: str | None, body: bytes) -> Self:
        """Make one of a request. Raises ValueError when it is no delivery of TaskHub."""
        try:
            event_id = uuid.UUID(json.loads(body)["event_id"])
            return cls(hook, str(uuid.UUID(headers_id or "")), str(event_id), signature or "", body.decode())
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"the body is not an event: {error!r}") from error


class Deliveries:
    """The file of deliveries. One process writes it; its threads may do so at once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        path.parent.mkdir(parents=True, exist_ok=True)
        # A line that a kill cut off was never answered: it goes, or the next one would be glued to it.
        kept = path.read_bytes() if path.exists() else b""
        self._file = path.open("ab")
        self._file.truncate(kept.rfind(b"\n") + 1)

    def add(self, delivery: Delivery) -> None:
        """Keep one. When this returns, a kill of the process cannot take it back."""
        line = json.dumps(asdict(delivery), separators=(",", ":")).encode() + b"\n"
        with self._lock:
            self._file.write(line)
            self._file.flush()

    def of(self, hook: str) -> list[Delivery]:
        """Return what came to one hook, oldest first, repeats included."""
        return [delivery for delivery in self._all() if delivery.hook == hook]

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._file.truncate(0)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _all(self) -> Iterator[Delivery]:
        with self._lock:
            lines = self._path.read_bytes().splitlines()
        for line in lines:
            yield Delivery(**json.loads(line))
