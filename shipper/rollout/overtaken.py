"""Overtaken: nothing is written any more. The other run decides what serves, and we say what that is."""

from __future__ import annotations

import time

from shipper.errors import NotPutBack, Overtaken, PlatformError, PutBack, RolloutFailed, ShipperError
from shipper.rollout.attempted import Attempted
from shipper.rollout.patience import OutOfTime, last_patience

OTHER_RUN = 15.0
"""Seconds for the run that overtook us to move traffic away from what we had brought."""

LOOK = 0.1
"""Seconds between two looks whether it has."""


def overtaken(done: Attempted, error: Overtaken) -> ShipperError:
    """The error that says what serves now that another run writes here; waits a while for that run."""
    details: tuple[str, ...] = (error.message,)
    try:
        left = not done.writer.wrote or _left_by_other_run(done)
    except (PlatformError, OutOfTime) as failure:
        left, details = False, (*details, f"what serves is not known: {failure or 'no time was left'}")
    whom = done.plan.by_whom()
    message = f"this run was overtaken{f' by {whom}' if whom else ''}"
    if not done.writer.wrote:
        return Overtaken(f"{message}; it had written nothing", hint=error.hint, details=details)
    if not left:
        return NotPutBack(
            f"{message}; what it had brought may still have traffic",
            hint="look at `shipper status`: the other run decides what serves",
            details=details,
            cause="overtaken",
        )
    if done.moved or (done.moving and done.writer.doubtful):
        return PutBack(f"{message}; what it had brought serves no more", details=details, cause="overtaken")
    return RolloutFailed(f"{message} before traffic moved", details=details, cause="overtaken")


def _left_by_other_run(done: Attempted) -> bool:
    """Whether nothing of ours has traffic or is about to, at once or after the other run has seen to it."""
    patience = last_patience(done.cancel, done.clock)
    until = time.monotonic() + OTHER_RUN
    while True:
        now = patience.read(done.target.observe)
        if not done.moving:
            return True
        done.moved = done.moved or done.has_moved(now)
        # An operation under way may be ours: then the platform moves traffic to what we applied without us.
        if not done.serves(now) and now.in_flight is None:
            return True
        if time.monotonic() >= until:
            return False
        patience.wait(LOOK)
