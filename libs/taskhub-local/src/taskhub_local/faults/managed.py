"""PostgreSQL and Redis as a managed service has them: found by a name, which leads to whichever of two is promoted."""

import time
from collections.abc import Callable
from pathlib import Path

from taskhub_local.errors import PartFailedError
from taskhub_local.faults.host import Host, free_ports
from taskhub_local.faults.names import Names
from taskhub_local.parts.base import Part, PartFolders
from taskhub_local.parts.postgres import PostgresPart
from taskhub_local.parts.postgres_standby import PostgresStandby
from taskhub_local.platform.keeper import Keeper
from taskhub_local.platform.runfile import PartState
from taskhub_local.ports import HOST

OTHER_HOST = "127.0.0.2"
"""Where the second server of each listens: on the same port, as behind one name."""
POSTGRES_NAME = "postgres.taskhub.test"
REDIS_NAME = "redis.taskhub.test"
_FOLLOWS_SECONDS = 60.0


class Managed:
    """A host whose apps know PostgreSQL and Redis by name only. `names` says where these lead."""

    def __init__(self, state: Path, *, say: Callable[[str], None] = lambda _: None) -> None:
        """Raises LocalError without a C compiler."""
        state.mkdir(parents=True, exist_ok=True)
        ports = free_ports()
        self.names = Names(state)
        for name in (POSTGRES_NAME, REDIS_NAME):
            self.names.lead(name, HOST)
        database_url = PostgresPart(PartFolders(state), ports.postgres).url
        environment = {
            **self.names.variables,
            "TASKHUB_DATABASE_URL": database_url.replace(f"@{HOST}:", f"@{POSTGRES_NAME}:"),
            "TASKHUB_REDIS_URL": f"redis://{REDIS_NAME}:{ports.redis}/0",
            "TASKHUB_CACHE_URL": f"redis://{REDIS_NAME}:{ports.redis}/1",
        }
        self.host = Host(state, ports=ports, environment=environment, say=say)

    def start_standby(self, *, synchronous: bool = True) -> PostgresStandby:
        """Start a standby of the running PostgreSQL; return it once each commit waits for it."""
        platform = self.host.platform
        standby = PostgresStandby(
            platform.folders, platform.postgres, host=OTHER_HOST, link_port=self.host.postgres.port
        )
        self.keep(standby)
        if synchronous:
            standby.demand_synchrony()
            wait(standby.synchronous, "the standby is synchronous")
        return standby

    def keep(self, part: Part) -> None:
        """Start a part beside the others, and keep it running; return once it is ready. Raises PartFailedError."""
        keeper = Keeper(part, lambda _: None)
        # The first to start is the last to stop.
        self.host.platform.keepers = {part.name: keeper, **self.host.platform.keepers}
        keeper.start()
        while not keeper.wait_settled(0.1):
            pass
        if keeper.state is not PartState.READY:
            raise PartFailedError(f"{part.name} {keeper.detail}")


def wait(condition: Callable[[], bool], what: str, *, seconds: float = _FOLLOWS_SECONDS) -> None:
    """Wait until it is so. Raises PartFailedError if it does not come to be in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise PartFailedError(f"waited {seconds:g} s in vain until {what}")
        time.sleep(0.05)
