"""Which record makes room for another one where the namespace's quota of Secrets is full. Pure.

What clean-up would take goes first. A rollback may go below `[rollback] releases`, as quota does, and never below the
newest way back: somebody waits for it, and would be told to clean up by hand with that number.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from shipper.model import Release, short
from shipper_targets.kubernetes.found import Found
from shipper_targets.kubernetes.in_use import in_use
from shipper_targets.kubernetes.records import Record
from shipper_targets.kubernetes.rollouts import release_in


def expendable(found: Found, release: Release | None, count: int) -> Record | None:
    """The oldest that need not come back, before `release` is recorded (None: one that is not known yet); None where
    each may be needed, or nobody knows what was verified. `count`: how many verified releases must stay able to come
    back.
    """
    if not found.stamp.verified:
        return None
    comes_back = release is not None and release.rollback_to is not None
    for least in range(count, 0, -1) if comes_back else (count,):
        if unneeded := _unneeded(found, release, least):
            return unneeded[0]
    return None


def _unneeded(found: Found, release: Release | None, count: int) -> list[Record]:
    """Oldest first. What is newer than what serves is another run's, or its outcome is not known yet."""
    used = in_use(found)
    carried = used | {release_in(one) for one in found.deployments}
    newest = max((one.number for one in found.records if one.release in used), default=-1)
    old = [one for one in found.records if one.release not in carried and 0 <= one.number < newest]
    serving = {one.fingerprint for one in found.records if one.release in used}
    wanted = {*serving, *_newest(found, old, serving, count)}

    def is_needed(one: Record) -> bool:
        comes = release is not None and (one.fingerprint == release.fingerprint or one.number == release.rollback_to)
        return comes or one.fingerprint in wanted

    return [one for one in old if not is_needed(one) or _is_doubled(found, one, used)]


def _is_doubled(found: Found, record: Record, used: Collection[str]) -> bool:
    """Whether a newer record that serves, or was verified, is of the same content: a rollback to it left that."""
    newer = [one for one in found.records if one.number > record.number and one.fingerprint == record.fingerprint]
    return any(one.release in used or one.number in found.stamp.verified for one in newer)


def _newest(found: Found, records: Iterable[Record], serving: set[str], count: int) -> set[str]:
    """The contents that a rollback goes to by itself, and the newest verified ones, quarantined ones too. The stamp
    names the last verified numbers alone: what is older may have been verified.
    """
    stamp, kept = found.stamp, set[str]()
    verified = [one for one in records if one.number in stamp.verified or one.number < min(stamp.verified)]
    free = [one for one in verified if short(one.fingerprint) not in stamp.quarantined]
    for fit in (verified, free):
        contents = dict.fromkeys(one.fingerprint for one in reversed(fit) if one.fingerprint not in serving)
        kept.update(list(contents)[:count])
    return kept
