"""The budgets: how many seconds each fault may be felt, and from when they are counted.

They are what failure-modes.yaml promises, measured on one machine where a single process stands for each deployment;
generous to a busy machine, and far below what a broken mechanism would need.
"""

from collections.abc import Mapping
from dataclasses import dataclass

KILL = "the kill"
THAW = "the thaw"
NAME_MOVES = "its name leads to the other server"


@dataclass(frozen=True, slots=True)
class Budget:
    """Seconds from a moment."""

    seconds: float
    counted_from: str


BUDGETS: Mapping[str, Budget] = {
    "api-kill": Budget(2, KILL),
    "api-kill-only": Budget(10, KILL),
    "worker-child-kill": Budget(20, KILL),
    "worker-kill": Budget(20, KILL),
    "worker-freeze": Budget(20, "the freeze"),
    "worker-freeze-whole": Budget(20, "the freeze"),
    "job-deadly": Budget(60, "its submission"),
    "dispatcher-kill": Budget(5, KILL),
    "dispatchers-in-turn": Budget(5, "the last kill"),
    "dispatcher-freeze": Budget(10, THAW),
    "postgres-restart": Budget(5, "PostgreSQL accepts"),
    "postgres-kill": Budget(5, "PostgreSQL accepts"),
    "postgres-freeze": Budget(5, THAW),
    "postgres-commit-cut": Budget(2, "the last cut"),
    "postgres-disk-full": Budget(15, "there is room"),
    "postgres-failover": Budget(5, NAME_MOVES),
    "postgres-switchover": Budget(5, NAME_MOVES),
    "postgres-restore": Budget(120, "the loss"),
    "postgres-connections": Budget(5, "the connections are free"),
    "redis-kill": Budget(10, KILL),
    "redis-wipe": Budget(10, "the wipe"),
    "redis-freeze": Budget(10, THAW),
    "redis-full": Budget(15, "there is memory"),
    "redis-failover": Budget(10, NAME_MOVES),
    "sqs-away": Budget(10, "SQS is back"),
    # As for a consumer's kill: what SQS hands to a poll that has given up comes again when its visibility ends.
    "sqs-freeze": Budget(30, THAW),
    "consumer-kill": Budget(30, KILL),
    "consumers-in-turn": Budget(30, "the last kill"),
    "poison-message": Budget(30, "its arrival"),
    "elasticsearch-kill": Budget(10, "it is healthy"),
    "elasticsearch-freeze": Budget(10, "it is healthy"),
    "index-deleted": Budget(10, "the deletion"),
    "index-drifted": Budget(60, "the reconciliation begins"),
    "elasticsearch-full": Budget(15, "it takes writes"),
    "clock-skew": Budget(5, "the skew"),
    "outbox-backlog": Budget(240, "the dispatcher is back"),
    "everything-killed": Budget(30, "the new start"),
}
