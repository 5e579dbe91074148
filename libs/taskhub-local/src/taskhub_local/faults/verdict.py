"""The verdict: a pure function of the ledger and of what is found afterwards. It passes, or names every culprit."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from taskhub_local.faults.findings import Fault, Finding
from taskhub_local.faults.history import history
from taskhub_local.faults.judge_jobs import judge_jobs
from taskhub_local.faults.judge_tasks import judge_tasks
from taskhub_local.faults.judge_views import judge_deliveries, judge_feed, judge_index, judge_mails
from taskhub_local.faults.ledger import Entry, Outcome
from taskhub_local.faults.observed import Observed


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the comparison found, and how much was compared."""

    findings: tuple[Finding, ...]
    requests: int
    acknowledged: int
    """Writes, as all figures below."""
    refused: int
    unknown: int
    jobs: int
    repeated: int
    """External effects that arrived more than once under their one id: allowed, and worth knowing."""

    @property
    def passed(self) -> bool:
        """Whether every promise was kept."""
        return not self.findings

    def count(self, fault: Fault) -> int:
        """How many findings are of that kind."""
        return sum(1 for finding in self.findings if finding.fault is fault)

    def __str__(self) -> str:
        most = 20
        lines = [f"{finding.fault.value}: {finding.sentence}" for finding in self.findings[:most]]
        if len(self.findings) > most:
            lines.append(f"... and {len(self.findings) - most} more")
        return "\n".join(lines) or "every promise was kept"


def judge(entries: Iterable[Entry], observed: Observed) -> Verdict:
    """Compare a ledger with what is found in the platform once it is quiet."""
    requests = list(entries)
    past = history(requests)
    findings = (
        *judge_tasks(past, observed.tasks),
        *judge_jobs(past, observed),
        *judge_feed(observed),
        *judge_index(observed),
        *judge_mails(observed),
        *judge_deliveries(observed),
    )
    outcomes = Counter(write.outcome for write in past.writes)
    arrivals = (*observed.mails, *(delivery.delivery_id for delivery in observed.deliveries))
    return Verdict(
        findings=findings,
        requests=len(requests),
        acknowledged=outcomes[Outcome.ACKNOWLEDGED],
        refused=outcomes[Outcome.REFUSED],
        unknown=outcomes[Outcome.UNKNOWN],
        jobs=sum(1 for write in past.jobs if write.outcome is Outcome.ACKNOWLEDGED),
        repeated=len(arrivals) - len(set(arrivals)),
    )
