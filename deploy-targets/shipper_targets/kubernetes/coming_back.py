"""What of own manifests is different once an earlier release is back: its record beside that of what serves."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from shipper.model import Change, Release
from shipper.targets import Invalid
from shipper_targets.kubernetes.differences import object_changes
from shipper_targets.kubernetes.labels import CONFIG
from shipper_targets.kubernetes.manifest import Manifest, Rendered
from shipper_targets.kubernetes.manifests import Manifests
from shipper_targets.kubernetes.prune import is_kept, may_go, obsolete
from shipper_targets.kubernetes.reading import Reading

_GOES = "will be removed"


def own_differences(manifests: Manifests, reading: Reading, now: Release, then: Release) -> tuple[Change, ...]:
    """Each with the number of pods that it would have; empty where either has no record. No write."""
    found = reading.now()
    before, after = manifests.recorded(now, found), manifests.recorded(then, found)
    if before is None or after is None:
        return ()
    serving, coming = (manifests.as_counted(one, found, coming_back=True) for one in (before, after))

    def goes(manifest: Manifest) -> bool:
        try:
            live = reading.live(manifest)
        except Invalid:
            return False  # the cluster serves this kind no more: nothing of it is there
        return live is not None and may_go(live, found.base) and not is_kept(live)

    images = (now.main.reference, then.main.reference)
    return tuple(recorded_changes(serving, coming, images, goes))


def recorded_changes(
    now: Rendered, then: Rendered, images: tuple[str, str], goes: Callable[[Manifest], bool]
) -> Iterator[Change]:
    """One line for each value, without those that only say the `images` of both: that is told once. `goes`: whether an
    object that `then` has not is deleted, as what is there says. Pure.
    """
    for manifest in then.manifests:
        there = now.find(manifest.key)
        for one in object_changes(manifest.key, there.body if there is not None else None, manifest.body):
            if (one.before, one.after) != images and not one.subject.endswith(f".annotations.{CONFIG}"):
                yield one
    for key in obsolete([now], then):
        there = now.find(key)
        if there is not None and goes(there):
            yield Change(action="remove", subject=str(key), after=_GOES)
