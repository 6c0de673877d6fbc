"""Rolling: the release is applied and the platform moves the traffic by itself, as it knows how."""

from __future__ import annotations

from shipper.errors import RolloutFailed
from shipper.model import Revision, Verdict
from shipper.rollout.attempt import Attempt
from shipper.rollout.bring_up import until_ready

LOOK = 0.2
"""Seconds between two looks at an operation that ends after its revision was ready."""


def rolling(attempt: Attempt) -> tuple[Revision, Verdict]:
    """What serves afterwards, and the proof."""
    return follow(attempt, attempt.replace())


def follow(attempt: Attempt, revision: Revision) -> tuple[Revision, Verdict]:
    """Of an operation that is under way: what serves afterwards, and the proof."""
    until_ready(attempt, revision)
    attempt.finish(revision)
    _until_done(attempt, revision)
    return revision, attempt.prove(revision)


def _until_done(attempt: Attempt, revision: Revision) -> None:
    budget = attempt.settings.rollout.timeout
    until = attempt.clock.monotonic() + budget
    while (now := attempt.writer.observe()).in_flight is not None:
        attempt.saw(now)
        if attempt.clock.monotonic() >= until:
            raise RolloutFailed(f"{revision.name} is ready, but {now.in_flight} has not ended within {budget:g} s")
        attempt.report.progress(f"waiting for {now.in_flight} to end")
        attempt.patience.wait(LOOK)
    attempt.saw(now)
