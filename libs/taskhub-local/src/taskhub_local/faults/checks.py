"""Checks that several cases share: what must have held while something was broken."""

from collections.abc import Sequence

from taskhub_local.faults.case import Check, Checked, Evidence
from taskhub_local.faults.client import Call
from taskhub_local.faults.recovery import Probe, percentile


def _during(calls: Sequence[Call], evidence: Evidence) -> list[Call]:
    return [call for call in calls if call.probe.ended > evidence.began_at]


def _latencies(calls: Sequence[Call]) -> list[float]:
    return [call.probe.seconds for call in calls]


def answered_within(seconds: float, *, at_most: float) -> Check:
    """95 of 100 requests got some answer within `seconds`, and every single one within `at_most`: nothing hung."""

    def check(evidence: Evidence) -> Checked:
        latencies = _latencies(_during(evidence.calls, evidence))
        if not latencies:
            return Checked("no request was answered at all")
        usual, worst = percentile(latencies, 0.95), max(latencies)
        note = f"answered within {usual:.2f} s (p95), {worst:.2f} s at worst"
        failed = usual > seconds or worst > at_most
        return Checked(f"{note}; allowed are {seconds:g} s and {at_most:g} s" if failed else "", note)

    return check


def writes_unharmed(evidence: Evidence) -> Checked:
    """No write of the pulse failed: what was broken is not on a write's way (rule 1 of the design)."""
    writes = _during(evidence.writes, evidence)
    failed = [call for call in writes if not call.probe.ok]
    if failed:
        answer = failed[0].answer
        return Checked(
            f"{len(failed)} of {len(writes)} writes failed, the first with {answer.status or answer.detail}, "
            "although nothing that a write needs was broken"
        )
    return Checked(note="no write failed")


def searches_answered(seconds: float, *, at_most: float) -> Check:
    """Every search was answered with 200, 95 of 100 within `seconds`: by PostgreSQL while Elasticsearch was away."""

    def check(evidence: Evidence) -> Checked:
        searches = _during(evidence.searches, evidence)
        failed = [call for call in searches if call.answer.status != 200]
        if failed or not searches:
            return Checked(f"{len(failed)} of {len(searches)} searches were not answered")
        usual, worst = percentile(_latencies(searches), 0.95), max(_latencies(searches))
        degraded = sum(1 for call in searches if call.body and call.body.get("degraded"))
        note = f"{degraded} searches by PostgreSQL; within {usual:.2f} s (p95), {worst:.2f} s at worst"
        failing = usual > seconds or worst > at_most
        return Checked(f"{note}; allowed are {seconds:g} s and {at_most:g} s" if failing else "", note)

    return check


def felt_at_all(evidence: Evidence) -> Checked:
    """The fault was felt by somebody: otherwise the case tests nothing."""
    failed = sum(1 for call in _during(evidence.calls, evidence) if call.answer.status in {None, 503})
    if not failed:
        return Checked("no request noticed the fault: the case did not break what it means to break")
    return Checked(note=f"{failed} requests failed and were repeated")


def never_internal(evidence: Evidence) -> Checked:
    """No request was answered with 500, which says that TaskHub is at fault: whatever else fails is a 503."""
    internal = sum(1 for call in _during(evidence.calls, evidence) if call.answer.status == 500)
    return Checked(f"{internal} requests were answered with 500 instead of 503" if internal else "")


def degraded_at_all(evidence: Evidence) -> Checked:
    """Searches noticed the fault: otherwise the case tests nothing."""
    if not any(call.body and call.body.get("degraded") for call in _during(evidence.searches, evidence)):
        return Checked("no search noticed that Elasticsearch was away: the case did not break it")
    return Checked()


def jobs_waited(evidence: Evidence) -> Checked:
    """Short jobs noticed the fault: otherwise the case tests nothing."""
    return _waited("jobs", evidence.jobs, evidence)


def events_waited(evidence: Evidence) -> Checked:
    """Events noticed the fault: otherwise the case tests nothing."""
    return _waited("events", evidence.events, evidence)


def _waited(what: str, probes: Sequence[Probe], evidence: Evidence) -> Checked:
    late = [probe.seconds for probe in probes if not probe.ok and probe.ended > evidence.began_at]
    if not late:
        return Checked(f"none of the {what} noticed the fault: the case did not break what it means to break")
    return Checked(note=f"{len(late)} {what} waited, up to {max(late):.1f} s")


def late_writes_fenced(evidence: Evidence) -> Checked:
    """Tells how many late writes were turned away. (That none got through is for the verdict.)"""
    return Checked(note=f"{evidence.fenced_writes:.0f} late writes touched 0 rows")
