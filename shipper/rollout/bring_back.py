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
        attempt.create(record)
    if revision.release is not None:
        until_ready(attempt, revision)
    attempt.shift({revision.name: 100}, revision)
    return revision, attempt.prove(revision)
