"""What was in a Deployment before shipper replaced it: kept whole, so that a first release can be put back too."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from shipper.targets import Conflict, Invalid
from shipper_targets.kubernetes.api import Api
from shipper_targets.kubernetes.found import ADOPTED, Found
from shipper_targets.kubernetes.kinds import DEPLOYMENT, SECRET
from shipper_targets.kubernetes.packing import pack_json, unpack_json
from shipper_targets.kubernetes.rollouts import wanted_pods
from shipper_targets.kubernetes.values import Object, mapping, name_of, text, uid_of

TYPE = "shipper.dev/adopted"
_DATA = "object"


def snapshot_name(base: str) -> str:
    """The Secret that holds it."""
    return f"shipper-{base}-adopted"


def keep_snapshot(api: Api, base: str, deployment: Object, labels: Mapping[str, str], *, anew: bool = False) -> None:
    """Once, and never again where what is there has been ours since. `anew`: it bears no mark of ours, and an earlier
    one is of what somebody has changed since it was put back. Raises Invalid where it cannot be kept.
    """
    metadata = mapping(deployment, "metadata")
    kept = {
        "name": metadata.get("name"),
        "uid": metadata.get("uid"),
        "labels": dict(mapping(metadata, "labels")),
        "annotations": dict(mapping(metadata, "annotations")),
        "spec": dict(mapping(deployment, "spec")),
    }
    data = {_DATA: base64.b64encode(pack_json(kept, "what was here before shipper")).decode()}
    name = snapshot_name(base)
    body = {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": TYPE,
        "immutable": True,
        "metadata": {"name": name, "namespace": api.namespace, "labels": dict(labels)},
        "data": data,
    }
    try:
        api.create(SECRET, body)
    except Conflict:
        there = api.find(SECRET, name) or {}
        if there and there.get("type") != TYPE:
            raise Invalid(f"the Secret {name} is there, and shipper did not make it: delete it first") from None
        if there and (not anew or text(there, "data", _DATA) == data[_DATA]):
            return  # it was kept by a run that did not come further
        if there:
            api.delete(SECRET, name, uid=uid_of(there))
        api.create(SECRET, body)


def snapshot(api: Api, base: str) -> Mapping[str, Any] | None:
    """Name, uid, labels, annotations and spec of then; None where nothing was adopted."""
    found = api.find(SECRET, snapshot_name(base))
    if found is None or found.get("type") != TYPE:
        return None
    kept = unpack_json(base64.b64decode(text(found, "data", _DATA)), "what was here before shipper")
    return kept if isinstance(kept, dict) else None


def is_of(kept: Mapping[str, Any], deployment: Object) -> bool:
    """Whether it was taken of this Deployment, and not of another one that had its name."""
    same = kept.get("uid") in (None, uid_of(deployment))
    return same and kept["name"] == name_of(deployment)


def put_back(api: Api, kept: Mapping[str, Any], live: Object, version: str) -> dict[str, Any]:
    """One write: the Deployment as it was then, without a mark of ours, and with no fewer pods than it has now."""
    spec = dict(kept["spec"])
    if (count := wanted_pods(kept)) > 0:
        spec["replicas"] = max(count, wanted_pods(live))
    operations: list[dict[str, Any]] = [
        {"op": "replace", "path": "/metadata/resourceVersion", "value": version},
        {"op": "test", "path": "/metadata/uid", "value": text(live, "metadata", "uid")},
        {"op": "add", "path": "/metadata/labels", "value": dict(kept["labels"])},
        {"op": "add", "path": "/metadata/annotations", "value": dict(kept["annotations"])},
        {"op": "replace", "path": "/spec", "value": spec},
    ]
    return api.json_patch(DEPLOYMENT, text(live, "metadata", "name"), operations)


def given_back(api: Api, found: Found) -> str:
    """What removing the service gives its place back to: what was replaced in place, or what the Service asked.
    Empty where nothing was adopted, or it is gone by now.
    """
    kept = snapshot(api, found.base)
    if kept is not None and any(is_of(kept, one) for one in found.deployments):
        return f"Deployment {kept['name']}"
    is_noted = bool(text(found.service, "metadata", "annotations", ADOPTED))  # else it serves as it always did
    name = found.adopted[0] if is_noted and found.adopted is not None else ""
    return f"Deployment {name}" if name and any(name_of(one) == name for one in found.foreign) else ""
