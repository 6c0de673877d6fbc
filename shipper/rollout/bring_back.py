"""A revision that still lives gets the traffic back: how a rollback goes where the old one was kept."""

from __future__ import annotations

from shipper.model import Release, Revision, Verdict
from shipper.rollout.attempt import Attempt
from shipper.rollout.bring_up import until_ready


def bring_back(attempt: Attempt, revision: Revision, record: Release | None) -> tuple[Revision, Verdict]:
    """What serves afterwards, and the proof. A stopped one is started first, from its `record`.

    It is asked once whether it is ready, no more: it served before, somebody is waiting, and the proof comes after.
    """
    if revision.state == "stopped" and record is not None:
        if attempt.release.strategy == "recreate":
            _make_room(attempt)
        attempt.create(record)
    if revision.release is not None:
        until_ready(attempt, revision)
    attempt.shift({revision.name: 100}, revision)
    return revision, attempt.prove(revision)


def _make_room(attempt: Attempt) -> None:
    """What serves is stopped first, as in a release by `recreate`: unless putting back could not start it again."""
    names = ", ".join(attempt.plan.stable)
    if any(name not in attempt.plan.records for name in attempt.plan.stable):
        attempt.report.remark(f"recreate: there is no record to start {names} again from, so it is not stopped first")
    elif names:
        attempt.report.remark(f"recreate: {names} is stopped first; nothing answers until the old revision does")
        attempt.stop_stable()
