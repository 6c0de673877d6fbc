"""A release as a Knative Service: pure, and the same for the same release.

Only what is set here is ours: drift and plans compare these fields and no others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from shipper.model import Release
from shipper.model.release import short
from shipper_targets.knative.container import pod_of
from shipper_targets.knative.durations import go_duration
from shipper_targets.knative.kinds import CLUSTER_LOCAL, NO_GC, PROGRESS_DEADLINE, SERVICE, VISIBILITY
from shipper_targets.knative.marks import record_annotations
from shipper_targets.knative.names import name_of_release
from shipper_targets.knative.scaling import annotations_of
from shipper_targets.knative.settings import KnativeSettings
from shipper_targets.kubernetes.labels import NUMBER, VERSION, labels_of


def template_of(release: Release, own: KnativeSettings, service: str) -> dict[str, Any]:
    """The revision's template, under a name of its own. It is its release's record, so Knative does not collect it:
    `shipper gc` knows which ones may go. Raises Invalid when the record is too large.
    """
    made = content_of(release, own, service)
    metadata = made["metadata"]
    metadata["name"] = name_of_release(service, release)
    metadata["labels"] = {**metadata["labels"], NUMBER: str(release.number)}
    metadata["annotations"] = {**metadata["annotations"], **record_annotations(release), NO_GC: "true"}
    return made


def content_of(release: Release, own: KnativeSettings, service: str) -> dict[str, Any]:
    """The same without anything that says which release it is."""
    settings = release.settings
    labels = {**own.labels, **labels_of(settings, service), VERSION: short(release.main.config_digest)}
    annotations = {
        **own.annotations,
        **annotations_of(settings, own),
        PROGRESS_DEADLINE: go_duration(settings.rollout.timeout),
    }
    return {"metadata": {"labels": labels, "annotations": annotations}, "spec": pod_of(release, own)}


def labels_of_service(release: Release, own: KnativeSettings, service: str) -> dict[str, str]:
    """Labels of the Service itself, but for its visibility."""
    return {**own.labels, **labels_of(release.settings, service)}


def service_of(
    release: Release,
    own: KnativeSettings,
    service: str,
    traffic: Sequence[Mapping[str, Any]],
    annotations: Mapping[str, str],
) -> dict[str, Any]:
    """The whole Service, for where there is none yet."""
    labels = labels_of_service(release, own, service)
    if own.visibility == CLUSTER_LOCAL:
        labels[VISIBILITY] = CLUSTER_LOCAL
    return {
        "apiVersion": SERVICE.api_version,
        "kind": SERVICE.kind,
        "metadata": {
            "name": service,
            "namespace": own.namespace,
            "labels": labels,
            "annotations": dict(annotations),
        },
        "spec": {"template": template_of(release, own, service), "traffic": [dict(one) for one in traffic]},
    }


def rendered(release: Release, own: KnativeSettings, service: str) -> dict[str, Any]:
    """For people and for GitOps: without release and traffic, which Knative then gives to the newest revision."""
    labels = labels_of_service(release, own, service)
    if own.visibility == CLUSTER_LOCAL:
        labels[VISIBILITY] = CLUSTER_LOCAL
    metadata = {"name": service, "namespace": own.namespace, "labels": labels}
    return {
        "apiVersion": SERVICE.api_version,
        "kind": SERVICE.kind,
        "metadata": metadata,
        "spec": {"template": content_of(release, own, service)},
    }


def replacing(there: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """The merge patch (RFC 7396) that makes `there` equal to `wanted`: what nobody wants any more is null."""
    patch: dict[str, Any] = {key: None for key in there if key not in wanted}
    for key, value in wanted.items():
        old = there.get(key)
        if isinstance(value, Mapping):
            patch[key] = replacing(old if isinstance(old, Mapping) else {}, value)
        else:
            patch[key] = value
    return patch
