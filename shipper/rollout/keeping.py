"""After a release: the previous revision stays as the way back, as `[rollback] keep` says; older ones are removed.

Where they cost nothing and are their releases' records (trait `keeps_revisions`) they are left to `gc`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from shipper.errors import Interrupted, PlatformError, ShipperError
from shipper.model import Observation, Revision, Stamp
from shipper.rollout.attempt import Attempt
from shipper.targets import Retired

KEEP: dict[str, Retired] = {"running": "warm", "stopped": "stopped", "none": "removed"}
"""`[rollback] keep` to what becomes of the previous revision."""


def tidy(attempt: Attempt, serving: Revision) -> None:
    """Retire what has no traffic any more. Releases stay restorable by their records: clearing those is `gc`'s.

    What fails here fails nobody: the release serves. It is told, and the next release tries again.
    """
    previous, keeps = _previous(attempt, serving), attempt.target.traits.keeps_revisions

    def older(found: Revision) -> bool:
        return found.name != previous and (not keeps or found.state == "failed")

    keep = KEEP[attempt.settings.rollback.keep]
    if attempt.release.strategy == "recreate" and keep == "warm":
        keep = "stopped"  # it was stopped to make room
    attempt.report.progress("retiring what served before")
    try:
        _retire(attempt, partial(_old, attempt, serving, lambda found: found.name == previous), keep)
        _retire(attempt, partial(_old, attempt, serving, older), "removed")
    except Interrupted:
        attempt.report.remark("interrupted: what served before is retired by the next release")
    except (PlatformError, ShipperError) as error:
        attempt.report.remark(f"could not retire what served before: {error}; the next release tries again")


def _previous(attempt: Attempt, serving: Revision) -> str:
    """What served before; where the traffic came back to that very revision, the newest other way back."""
    stable, others = attempt.plan.stable, [name for name in attempt.plan.trusted if name != serving.name]
    main = max(stable, key=lambda name: stable[name], default="")
    return main if main != serving.name else next(reversed(others), "")


def _old(
    attempt: Attempt, serving: Revision, chosen: Callable[[Revision], bool], now: Observation
) -> Sequence[Revision]:
    """Chosen ones of ours without traffic. One with a higher number is another run's, which is at work on it."""
    ours = [found for found in now.revisions if found.release is not None and not found.weight]
    older = [found for found in ours if (found.number or 0) <= attempt.release.number and found.name != serving.name]
    return [found for found in older if chosen(found)]


def _retire(attempt: Attempt, old: Callable[[Observation], Sequence[Revision]], to: Retired) -> None:
    if not old(attempt.writer.last):
        return

    def call(now: Observation, stamp: Stamp) -> None:
        if revisions := old(now):
            attempt.target.retire(revisions, to, stamp, now.seen)

    attempt.writer.write(call, "retire what served before")
