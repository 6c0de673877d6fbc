"""Blue-green: one shift, then a bake time in which the old revision is ready to take over again in one write."""

from __future__ import annotations

from shipper.model import Revision, Verdict
from shipper.rollout.all_at_once import all_at_once
from shipper.rollout.attempt import Attempt
from shipper.rollout.baking import bake


def blue_green(attempt: Attempt) -> tuple[Revision, Verdict]:
    """What serves afterwards, and the proof after the bake time."""
    revision, _ = all_at_once(attempt)
    bake(attempt, revision, 100)
    return revision, attempt.prove(revision)
