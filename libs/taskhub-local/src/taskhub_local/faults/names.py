"""Names whose addresses a test moves, as DNS moves a managed database's name when it fails over."""

from collections.abc import Mapping
from pathlib import Path

from taskhub_local.faults.preload import build


class Names:
    """What leads where, for the processes that get `variables`. They ask at each new connection."""

    def __init__(self, folder: Path) -> None:
        """Raises LocalError without a C compiler."""
        self._library = build("names", folder)
        self._file = folder / "names"
        self._addresses: dict[str, str] = {}
        self._write()

    @property
    def variables(self) -> Mapping[str, str]:
        """What makes a process ask here."""
        return {"LD_PRELOAD": str(self._library), "FAULT_NAMES": str(self._file)}

    def lead(self, name: str, address: str) -> None:
        """Let a name lead to an address from now on. Connections that are open stay where they are."""
        self._addresses[name] = address
        self._write()

    def _write(self) -> None:
        fresh = self._file.with_suffix(".fresh")
        fresh.write_text("".join(f"{name} {address}\n" for name, address in self._addresses.items()))
        fresh.replace(self._file)
