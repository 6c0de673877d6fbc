"""Canary: the new revision gets its share in steps, each baked and gated; then all of the traffic."""

from __future__ import annotations

from shipper.model import Revision, Verdict
from shipper.rollout.all_at_once import all_at_once
from shipper.rollout.attempt import Attempt
from shipper.rollout.baking import bake
from shipper.rollout.bring_up import bring_up
from shipper.rollout.strategies import shared, steps_of


def canary(attempt: Attempt) -> tuple[Revision, Verdict]:
    """What serves afterwards, and the proof. A first release has nothing to be compared with: one shift."""
    stable, traits = attempt.plan.stable, attempt.target.traits
    if not stable:
        attempt.report.remark("nothing serves yet, so there is nothing to try it against: all traffic in one shift")
        return all_at_once(attempt)
    step = traits.weight_step or 1
    revision = bring_up(attempt)
    for share in _steps(attempt, step):
        attempt.shift(shared(stable, revision.name, share, step, traits.max_sharing), revision)
        bake(attempt, revision, share)
    attempt.shift({revision.name: 100}, revision)
    return revision, attempt.prove(revision)


def _steps(attempt: Attempt, step: int) -> tuple[int, ...]:
    wanted = attempt.settings.rollout.steps
    steps = steps_of(wanted, step)
    if steps != tuple(wanted):
        shown = ", ".join(f"{share} %" for share in (*steps, 100))
        attempt.report.remark(f"a {attempt.target.kind} target sets traffic in steps of {step} %: {shown}")
    return steps
