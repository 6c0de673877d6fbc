"""What a write says besides traffic: annotations, tags that go, and the revision that it begins. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from shipper.model import Release, Revision, Stamp
from shipper_targets.knative.marks import ADOPTED, is_stamped, stamp_text
from shipper_targets.knative.names import is_our_tag
from shipper_targets.kubernetes.labels import STAMP
from shipper_targets.kubernetes.values import Object, mapping, number, objects, text

Patch = dict[str, Any]
"""A merge patch (RFC 7396)."""


def annotated(service: Object, stamp: Stamp, more: Mapping[str, str]) -> Patch:
    """Others' annotations stay. Where there was no stamp something was there before: that is noted for good."""
    there = mapping(service, "metadata", "annotations")
    before = {} if is_stamped(service) or ADOPTED in there else {ADOPTED: ""}
    return {"metadata": {"annotations": {**before, STAMP: stamp_text(stamp, service), **more}}}


def untagged(service: Object, names: Collection[str], stamp: Stamp) -> Patch:
    """Without our tags of these revisions."""
    asked = objects(service, "spec", "traffic")
    kept = [dict(one) for one in asked if not _is_dropped(one, names)]
    patch = annotated(service, stamp, {})
    if len(kept) < len(asked):
        patch["spec"] = {"traffic": kept}
    return patch


def _is_dropped(target: Object, names: Collection[str]) -> bool:
    tag = text(target, "tag")
    idle = not number(target, "percent")
    return bool(tag) and is_our_tag(tag) and idle and text(target, "revisionName") in names


def begun(name: str, release: Release, weight: int) -> Revision:
    return Revision(
        name=name,
        release=release.id,
        number=release.number,
        fingerprint=release.fingerprint,
        state="starting",
        image=release.main.config_digest,
        weight=weight,
    )
