"""All at once: the new revision is created, asked, and takes all traffic in one shift."""

from __future__ import annotations

from shipper.model import Revision, Verdict
from shipper.rollout.attempt import Attempt
from shipper.rollout.bring_up import bring_up


def all_at_once(attempt: Attempt) -> tuple[Revision, Verdict]:
    """What serves afterwards, and the proof."""
    revision = bring_up(attempt)
    attempt.shift({revision.name: 100}, revision)
    return revision, attempt.prove(revision)
