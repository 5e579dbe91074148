"""Checks that only a cluster can be held to."""

from taskhub_local.faults.case import Checked, Evidence
from tests.e2e.outcome import has_failed


def nothing_failed(evidence: Evidence) -> Checked:
    """Not one request failed, writes included: each counts as it was sent, before any repetition by the client."""
    failed = [call for call in evidence.calls if call.probe.ended > evidence.began_at and has_failed(call)]
    if not failed:
        return Checked(note="no request failed")
    first = failed[0]
    what = first.answer.status or first.answer.detail
    after = first.probe.ended - evidence.began_at
    return Checked(
        f"{len(failed)} requests failed, the first after {after:.1f} s: a {first.request.operation.value} with {what}"
    )
