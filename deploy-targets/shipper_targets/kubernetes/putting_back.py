"""What the one Deployment is put back to when a release in it is ended. Pure.

What can answer now comes before what once did, and what was verified before what was only tried. A Deployment in which
something else ever ran is never deleted.
"""

from __future__ import annotations

from collections.abc import Callable

from shipper.targets import Invalid
from shipper_targets.kubernetes.found import Found
from shipper_targets.kubernetes.labels import FINGERPRINT, NUMBER, RELEASE, STAMP
from shipper_targets.kubernetes.manifest import Manifest
from shipper_targets.kubernetes.manifests import owns_replicas
from shipper_targets.kubernetes.observing import waits_for
from shipper_targets.kubernetes.records import Record
from shipper_targets.kubernetes.rollouts import HASH, number_in, release_in, sets_of, wanted_pods
from shipper_targets.kubernetes.values import Object, mapping, name_of, number, text

PUT_BACK = "shipper.dev/put-back"
"""Annotation of the Deployment: the release that it was put back to. Asked again, it is put back to the same."""

_MARKS = (RELEASE, NUMBER, FINGERPRINT)


def way_back(found: Found, rolling: Object, readable: Callable[[Record], bool]) -> Record | Object | None:
    """The record that is applied again; a Deployment or ReplicaSet whose template is used where no record can be read;
    None where no other release was ever here, or where it is not this Deployment that serves.

    Raises Invalid where something else was here and nothing can bring it back.
    """
    if waits_for(found) is not None:
        return None
    current = release_in(rolling)
    if is_put_back(found, rolling):
        record = found.record(current)
        return record if record is not None and readable(record) else rolling
    others = [one for one in sets_of(rolling, found.sets) if release_in(one) != current]
    answering = [one for one in others if _available(one)]
    if answering:
        best = max(answering, key=lambda one: (number_in(one) in found.stamp.verified, _available(one)))
        record = found.record(release_in(best))
        return record if record is not None and readable(record) else best
    here = {release_in(one) for one in others} - {""}
    records = [one for one in found.records if one.workload == name_of(rolling)]
    for verified in reversed(found.stamp.verified):
        there = [one for one in others if number_in(one) == verified]
        known = [one for one in records if one.number == verified and one.release != current and readable(one)]
        if known or there:
            return (known or there)[-1]
    for older in reversed(records):
        if older.release in here and older.number < number_in(rolling) and readable(older):
            return older
    if here:
        raise Invalid(
            f"nothing here can bring back what Deployment {name_of(rolling)} ran before: "
            "no record of it can be read, and none of its pods is available"
        )
    return None


def is_put_back(found: Found, rolling: Object) -> bool:
    """Whether its release is being put back: one that was verified is never tried again under its own number."""
    current = release_in(rolling)
    return text(rolling, "metadata", "annotations", PUT_BACK) == current or number_in(rolling) in found.stamp.verified


def undone(rolling: Object, carrier: Object, stamp: str) -> Manifest:
    """The Deployment with the pods of `carrier`, as `kubectl rollout undo` makes it."""
    template = dict(mapping(carrier, "spec", "template"))
    metadata = dict(mapping(template, "metadata"))
    labels = {name: value for name, value in mapping(metadata, "labels").items() if name != HASH}
    template["metadata"] = {**metadata, "labels": labels}
    spec = {**mapping(rolling, "spec"), "template": template}
    spec.pop("replicas", None)
    if owns_replicas(rolling):
        spec["replicas"] = wanted_pods(rolling)
    marks = {name: text(carrier, "metadata", "annotations", name) for name in _MARKS}
    marks = {name: value for name, value in marks.items() if value}
    annotations = {**marks, PUT_BACK: release_in(carrier), STAMP: stamp}
    ours = {name: value for name, value in mapping(rolling, "metadata", "labels").items() if name not in _MARKS}
    labels = {**ours, **{name: value for name, value in marks.items() if name != FINGERPRINT}}
    where = {"name": name_of(rolling), "namespace": text(rolling, "metadata", "namespace")}
    body = {"apiVersion": "apps/v1", "kind": "Deployment", "spec": spec}
    return Manifest({**body, "metadata": {**where, "labels": labels, "annotations": annotations}})


def _available(one: Object) -> int:
    return number(one, "status", "availableReplicas")
