"""What the platform takes of the machine: processes, and ports (the usual ones, or the next free ones)."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace

from taskhub_local.ports import next_free

WORKER_PROCESSES = 4
"""More than processors: most jobs wait for somebody else, and two slow ones must not hold up all others."""


@dataclass(frozen=True)
class Ports:
    """A TCP port for everything that listens."""

    api: int = 8000
    postgres: int = 15432
    redis: int = 63790
    sqs: int = 4566
    smtp: int = 1025
    mail_pages: int = 8025
    elasticsearch: int = 9200
    api_metrics: int = 9101
    worker_metrics: int = 9102
    dispatcher_metrics: int = 9103
    consumer_metrics: int = 9104


@dataclass(frozen=True)
class MovedPort:
    """A port that was taken, and the one used instead."""

    name: str
    wanted: int
    chosen: int


def choose_ports(wanted: Ports) -> tuple[Ports, list[MovedPort]]:
    """Return ports that are free right now, and which differ from the wanted ones. Raises OSError if there are none."""
    chosen: dict[str, int] = {}
    moved = []
    names: Mapping[str, int] = asdict(wanted)
    for name, port in names.items():
        # Not a port that another part is going to want: moving one must not move the next.
        others = {other for key, other in names.items() if key != name} | set(chosen.values())
        chosen[name] = next_free(port, others)
        if chosen[name] != port:
            moved.append(MovedPort(name, port, chosen[name]))
    return replace(wanted, **chosen), moved
