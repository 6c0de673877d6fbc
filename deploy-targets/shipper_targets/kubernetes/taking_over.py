"""Objects of our names that somebody else made: taken only when asked, marked then, and never deleted by us."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from shipper.targets import Invalid
from shipper_targets.kubernetes.api import Api
from shipper_targets.kubernetes.kinds import SECRET, Kind
from shipper_targets.kubernetes.labels import BASE, RELEASE, owner_of
from shipper_targets.kubernetes.manifest import Manifest
from shipper_targets.kubernetes.packing import pack_json, unpack_json
from shipper_targets.kubernetes.stamps import carries_stamp
from shipper_targets.kubernetes.values import Object, mapping, text, uid_of

ADOPT = "[targets.<name>] adopt = true takes it over"
"""What to do about an object that is there, and where that is written."""

_NOT_CONTENT = ("apiVersion", "kind", "metadata", "status")

TAKEN = "shipper.dev/taken-over"
"""Annotation of an object that was there before us: what it was, packed; "true" where that is not kept."""

_MOST = 64_000
"""Characters: all annotations of an object together may have 256 KiB."""


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
        api.merge(kind, manifest.name, {"metadata": {"annotations": {TAKEN: noted(kind, live)}}})


def noted(kind: Kind, live: Object) -> str:
    """What an object is, for its annotation. A Secret's values are not shown there."""
    if kind == SECRET:
        return "true"
    members = {key: value for key, value in live.items() if key not in _NOT_CONTENT}
    words = {member: dict(mapping(live, "metadata", member)) for member in ("labels", "annotations")}
    packed = base64.b64encode(pack_json({**words, "members": members}, "what was here before shipper")).decode()
    return packed if len(packed) <= _MOST else "true"


def as_it_was(live: Object) -> list[dict[str, Any]] | None:
    """The JSON patch that makes it what it was before us; None where that is not known."""
    try:
        kept = unpack_json(base64.b64decode(text(live, "metadata", "annotations", TAKEN), validate=True), "it")
        words = {member: dict(kept[member]) for member in ("labels", "annotations")}
        members: Mapping[str, Any] = dict(kept["members"])
    except (ValueError, KeyError, TypeError, Invalid):
        return None
    gone = [key for key in live if key not in members and key not in _NOT_CONTENT]
    return [
        {"op": "test", "path": "/metadata/uid", "value": uid_of(live)},
        *({"op": "add", "path": f"/metadata/{member}", "value": value} for member, value in words.items()),
        *({"op": "add", "path": f"/{key}", "value": value} for key, value in members.items()),
        *({"op": "remove", "path": f"/{key}"} for key in gone),
    ]


def _decides_traffic(manifest: Manifest) -> bool:
    """The Service that clients ask, and a Deployment as it is written for a release."""
    labels = manifest.labels
    return RELEASE in labels or (manifest.kind == "Service" and manifest.name == labels.get(BASE))


def is_taken(live: Object) -> bool:
    """Whether it was there before us."""
    return bool(text(live, "metadata", "annotations", TAKEN))
