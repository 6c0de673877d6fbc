"""Objects of our names that somebody else made: taken only when asked, marked then, and never deleted by us."""

from __future__ import annotations

from shipper.targets import Invalid
from shipper_targets.kubernetes.api import Api
from shipper_targets.kubernetes.labels import BASE, RELEASE, owner_of
from shipper_targets.kubernetes.manifest import Manifest
from shipper_targets.kubernetes.stamps import carries_stamp
from shipper_targets.kubernetes.values import Object, mapping, text

ADOPT = "[targets.<name>] adopt = true takes it over"
"""What to do about an object that is there, and where that is written."""

TAKEN = "shipper.dev/taken-over"
"""Annotation of an object that was there before us."""


def mind_owner(api: Api, manifest: Manifest, *, adopts: bool, marks: bool) -> None:
    """Before something is applied that we have not applied before. One that is nobody's service is marked, when it may
    be taken over (`marks`: else it is only looked at). Raises Invalid when it may not, or is another service's.
    """
    if _decides_traffic(manifest):
        return  # carriers.py and writing_rolling.py ask whose these are
    kind = api.kind_of(manifest.api_version, manifest.kind)
    live = api.find(kind, manifest.name, manifest.namespace or None)
    if live is None:
        return
    owner, ours = owner_of(mapping(live, "metadata", "labels")), owner_of(manifest.metadata.get("labels") or {})
    if owner == ours or (owner is None and carries_stamp(live)):
        return
    if owner is not None:
        raise Invalid(f"{manifest.key} is that of {' in '.join(owner)}: one object cannot be two services'")
    if not adopts:
        raise Invalid(f"{manifest.key} is there, and shipper did not make it: {ADOPT}")
    if marks:
        api.merge(kind, manifest.name, {"metadata": {"annotations": {TAKEN: "true"}}})


def _decides_traffic(manifest: Manifest) -> bool:
    """The Service that clients ask, and a Deployment as it is written for a release."""
    labels = manifest.labels
    return RELEASE in labels or (manifest.kind == "Service" and manifest.name == labels.get(BASE))


def is_taken(live: Object) -> bool:
    """Whether it was there before us."""
    return bool(text(live, "metadata", "annotations", TAKEN))
