"""A page of memory that the parent and its children share: how children learn at once that the worker is stopping."""

import mmap


class Board:
    """Made before the children are forked. Written by the parent, also in a signal handler, and read by all."""

    def __init__(self) -> None:
        self._page = mmap.mmap(-1, mmap.PAGESIZE)

    @property
    def stopping(self) -> bool:
        """Whether the worker is to end."""
        return self._page[0] == 1

    def stop(self) -> None:
        """Tells every process. It cannot be taken back."""
        self._page[0] = 1
