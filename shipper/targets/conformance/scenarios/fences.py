"""What keeps an older writer out, asked of the target directly: each write that it has."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from shipper.errors import Conflict
from shipper.model import Observation, Stamp
from shipper.targets.conformance.here import Here, expect, stamped
from shipper.targets.conformance.scenario import scenario
from shipper.targets.protocol import Collects, Replaces, SplitsTraffic, Target

Write = Callable[[Stamp, str], object]


def writes_of(target: Target, here: Here, now: Observation) -> dict[str, Write]:
    """Every write of this target, with arguments that would be fine; what is left out is stamp and `seen`."""
    release, serving = here.a_release(), now.serving[0]
    idle = [revision for revision in now.revisions if not revision.weight]
    writes: dict[str, Write] = {
        "write_stamp": target.write_stamp,
        "retire": lambda stamp, seen: target.retire(idle, "removed", stamp, seen),
        "remove": target.remove,
    }
    if isinstance(target, SplitsTraffic):
        splits = target
        writes["create"] = lambda stamp, seen: splits.create(release, stamp, seen)
        writes["shift"] = lambda stamp, seen: splits.shift({serving.name: 100}, stamp, seen)
    if isinstance(target, Replaces):
        replaces = target
        writes["replace"] = lambda stamp, seen: replaces.replace(release, stamp, seen)
        writes["abort"] = lambda stamp, seen: replaces.abort(release.id, stamp, seen)
    if isinstance(target, Collects):
        writes["collect"] = partial(target.collect, target.garbage([], ()))
    return writes


def refused(here: Here, name: str, write: Callable[[], object]) -> None:
    """The write is a Conflict, and nothing was changed by it."""
    before = here.observe()
    try:
        write()
    except Conflict:
        after = here.observe()
        changed = after.model_dump(exclude={"seen"}) != before.model_dump(exclude={"seen"})
        assert not changed, f"{name} was refused and changed something all the same"
    else:
        raise AssertionError(f"{name} was not refused")


@scenario(trait="conditional_writes")
def an_old_view_is_refused(here: Here) -> None:
    """Each write with a `seen` from before somebody else's write is a Conflict, and changes nothing."""
    expect(here.release("one"), 0)
    expect(here.release("two"), 0)
    target = here.target()
    old = target.observe()
    here.writes_meanwhile()
    for name, write in writes_of(target, here, old).items():
        refused(here, name, partial(write, old.stamp, old.seen))
    here.answers("two")


@scenario(trait="conditional_writes")
def an_older_epoch_is_refused(here: Here) -> None:
    """Each write with a lower epoch than the stamp's is a Conflict, however new its view."""
    expect(here.release("one"), 0)
    expect(here.release("two"), 0)
    target = here.target()
    now = target.observe()
    target.write_stamp(stamped(now.stamp, epoch=now.stamp.epoch + 5), now.seen)
    for name, write in writes_of(target, here, target.observe()).items():
        refused(here, name, partial(write, now.stamp, target.observe().seen))
    here.answers("two")


@scenario()
def an_epoch_grows(here: Here) -> None:
    """Each run's epoch is higher than the one before, and it is on the platform."""
    epochs = []
    for text in ("one", "two", "three"):
        expect(here.release(text), 0)
        epochs.append(here.observe().stamp.epoch)
    expect(here.rollback(), 0)
    epochs.append(here.observe().stamp.epoch)
    assert epochs == sorted(set(epochs)), f"epochs do not rise: {epochs}"
    assert epochs[0] > 0
