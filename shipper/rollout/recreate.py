"""Recreate: what serves is stopped first, so that nothing answers for a while. It must be asked for."""

from __future__ import annotations

from shipper.errors import UsageError
from shipper.model import Revision, Verdict
from shipper.rollout.all_at_once import all_at_once
from shipper.rollout.attempt import Attempt


def recreate(attempt: Attempt) -> tuple[Revision, Verdict]:
    """What serves afterwards, and the proof. Putting back starts the old one again.

    Raises UsageError (2), before anything is written, when what serves has no record to be started again from.
    """
    stable = attempt.plan.stable
    if lost := [name for name in stable if name not in attempt.plan.records]:
        raise UsageError(
            f"recreate stops {', '.join(lost)} first, and there is no record to start it again from",
            hint="choose another strategy for this release",
        )
    if stable:
        names = ", ".join(stable)
        attempt.report.remark(f"recreate: {names} is stopped first; nothing answers until the new revision does")
        attempt.stop_stable()
    return all_at_once(attempt)
