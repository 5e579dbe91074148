"""The jobs of a message that nobody has claimed yet. The main thread takes them one by one, the keeper all at once."""

import threading
import uuid
from collections import deque
from collections.abc import Sequence


class Pending:
    """Ids, in order. What one thread took, the other does not see."""

    def __init__(self, job_ids: Sequence[uuid.UUID]) -> None:
        self._ids = deque(job_ids)
        self._lock = threading.Lock()

    def __bool__(self) -> bool:
        return bool(self._ids)

    def take(self) -> uuid.UUID | None:
        """The next one; None when there is none left."""
        with self._lock:
            return self._ids.popleft() if self._ids else None

    def put_back(self, job_id: uuid.UUID) -> None:
        """It was taken and not claimed: it is the next one again."""
        with self._lock:
            self._ids.appendleft(job_id)

    def take_all(self) -> list[uuid.UUID]:
        """All that are left."""
        with self._lock:
            taken = list(self._ids)
            self._ids.clear()
            return taken
