"""How long it takes until an earlier release serves again that has to start: as long as it took, but for what a
rollback does not do. Pure.
"""

from __future__ import annotations

from shipper.model import Release
from shipper.rollout.known import KnownRelease
from shipper.rollout.strategies import steps_of


def start_seconds(first: KnownRelease | None, record: Release | None, step: int | None) -> float | None:
    """From its claim to its proof, without its bake times. `first` is the release that brought the content here, as a
    rollback to it may have needed one write only; `record` is its own. `step`: the target's, of traffic in percent.

    None where nobody has measured that: `[rollout] before` and a gate's command took part of it, or no record is left.
    """
    if first is None or record is None or not first.verified or first.finished is None:
        return None
    rollout, seconds = record.settings.rollout, first.finished - first.created
    bakes = _bakes(record, step)
    if rollout.before is not None or (bakes and rollout.gate.command is not None) or seconds <= 0:
        return None
    baked = bakes * rollout.bake
    return seconds - baked if seconds > baked else seconds  # in a first release a canary has nothing to bake beside


def _bakes(record: Release, step: int | None) -> int:
    if record.strategy == "canary":
        return len(steps_of(record.settings.rollout.steps, step or 1))
    return 1 if record.strategy == "blue-green" else 0
