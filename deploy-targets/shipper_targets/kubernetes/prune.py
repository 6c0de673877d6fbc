"""What was applied before and is not rendered any more: ours alone. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from shipper_targets.kubernetes.labels import is_ours
from shipper_targets.kubernetes.manifest import Key, Rendered
from shipper_targets.kubernetes.referenced import references_in
from shipper_targets.kubernetes.taking_over import is_taken
from shipper_targets.kubernetes.values import mapping, text

NEVER = ("Namespace", "PersistentVolume", "PersistentVolumeClaim", "CustomResourceDefinition")
"""With these goes data, or everything of their kind: a person removes them."""


KEEP = "helm.sh/resource-policy"


def obsolete(before: Iterable[Rendered], now: Rendered, kept: Iterable[Rendered] = ()) -> tuple[Key, ...]:
    """Objects of what was `before` that neither `now` has nor what is `kept` to come back, nor their pods refer to.

    In the reverse of the order in which they were applied. Whether an object is still ours is the caller's to look at,
    before it is deleted: see `may_go`.
    """
    needed = now.keys.union(*(one.keys for one in kept))
    asked = {pair for one in (now, *kept) for pair in _referred(one)}
    gone: dict[Key, None] = {}
    for one in before:
        gone |= {manifest.key: None for manifest in one.manifests if manifest.key not in needed}
    return tuple(reversed([key for key in gone if key.kind not in NEVER and (key.kind, key.name) not in asked]))


def _referred(whole: Rendered) -> set[tuple[str, str]]:
    """Kind and name of what pods cannot start without, whoever makes it by now."""
    main = whole.find(whole.workload)
    spec = mapping(main.body, "spec", "template", "spec") if main is not None else {}
    return {(one.kind, one.name) for one in references_in(spec)}


def left(before: Iterable[Rendered], now: Rendered) -> tuple[Key, ...]:
    """Objects that are not rendered any more and are nevertheless never removed: to be told."""
    found = {manifest.key for one in before for manifest in one.manifests} - now.keys
    return tuple(sorted(key for key in found if key.kind in NEVER))


def is_kept(live: Mapping[str, object]) -> bool:
    """Whether it says that it stays when it is not rendered any more, as a chart's objects say it to Helm."""
    return text(live, "metadata", "annotations", KEEP).strip().lower() == "keep"


def may_go(live: Mapping[str, object], base: str) -> bool:
    """Whether a live object is one of ours, by its labels, was not there before us and is nobody else's by now."""
    metadata = live.get("metadata")
    if not isinstance(metadata, Mapping):
        return False
    labels = metadata.get("labels") or {}
    owners = metadata.get("ownerReferences") or ()
    return isinstance(labels, Mapping) and is_ours(labels, base) and not owners and not is_taken(live)
