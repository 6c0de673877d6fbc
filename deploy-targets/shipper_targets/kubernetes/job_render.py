"""A command that is run once, as a Job made of a release's own pod template. Pure.

What the template reads of its own set (ConfigMaps, Secrets) gets a copy under another name: applying the originals
would change what serves before anybody decided that. The copies belong to the Job and go with it.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shipper.model import Release
from shipper_targets.kubernetes.labels import INSTANCE, WORKLOAD, labels_of
from shipper_targets.kubernetes.manifest import Manifest, Rendered
from shipper_targets.kubernetes.names import fitting, hashed_name
from shipper_targets.kubernetes.pod import literal
from shipper_targets.kubernetes.quantities import seconds_of
from shipper_targets.kubernetes.values import at, mapping, objects, text

ONCE = "shipper.dev/once"
"""Label of such a Job and its pod: the service's base name."""

KEPT = 600
"""Seconds that a finished Job stays if nobody is left to remove it."""

_COPIED = ("ConfigMap", "Secret")
_NOT_FOR_JOBS = ("livenessProbe", "readinessProbe", "startupProbe", "lifecycle", "ports", "command", "restartPolicy")
_NOT_IN_POD = ("topologySpreadConstraints", "readinessGates", "restartPolicy", "initContainers")
_REFERENCES = (
    ("configMapRef", "name", "ConfigMap"),
    ("configMapKeyRef", "name", "ConfigMap"),
    ("configMap", "name", "ConfigMap"),
    ("secretRef", "name", "Secret"),
    ("secretKeyRef", "name", "Secret"),
    ("secret", "secretName", "Secret"),
    ("secret", "name", "Secret"),
)
"""Member of a pod, the member in it that names an object, and that object's kind. The last one is a projection's."""


@dataclass(frozen=True)
class OnceRun:
    """The Job, what it needs a copy of, and the ServiceAccount that it runs as, where that is of the same set."""

    job: Mapping[str, Any]
    container: str
    copies: tuple[Mapping[str, Any], ...]
    account: Manifest | None


def once_run(whole: Rendered, release: Release, command: Sequence[str], *, base: str, gpu_resource: str) -> OnceRun:
    """`command` replaces the image's CMD, as `[run] command` does; its ENTRYPOINT stays.

    Without GPUs: a pool that has none to spare is no reason not to migrate. Suspended until all that it reads is there.
    """
    name = fitting(f"{base}-{release.number}-{release.id[-6:].lower()}-once", 52)
    template = copy.deepcopy(dict(whole.main.body["spec"]["template"]))
    spec = {key: value for key, value in template["spec"].items() if key not in _NOT_IN_POD}
    container = _container(spec, release, command, gpu_resource)
    renames = {
        (one.kind, one.name): hashed_name(name, [one.kind, one.name]) for one in whole.manifests if one.kind in _COPIED
    }
    used: set[tuple[str, str]] = set()
    sidecars = [one for one in objects(template, "spec", "initContainers") if text(one, "restartPolicy") == "Always"]
    spec = {**spec, **({"initContainers": sidecars} if sidecars else {})}
    spec = _renamed({**spec, "containers": [container], "restartPolicy": "Never"}, renames, used)
    labels = {**labels_of(release.settings, base), ONCE: base}
    body = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "namespace": whole.workload.namespace, "labels": labels},
        "spec": {
            "backoffLimit": 0,
            "completions": 1,
            "parallelism": 1,
            "activeDeadlineSeconds": seconds_of(release.settings.rollout.deadline),
            "ttlSecondsAfterFinished": KEPT,
            "suspend": True,
            "template": {"metadata": _metadata(template, whole, labels), "spec": spec},
        },
    }
    copies = tuple(_copy(one, renames, labels) for one in whole.manifests if (one.kind, one.name) in used)
    account = text(spec, "serviceAccountName")
    own = next((one for one in whole.of_kind("ServiceAccount") if one.name == account), None)
    return OnceRun(body, str(container["name"]), copies, own)


def owned_by_job(body: Mapping[str, Any], job: Mapping[str, Any]) -> dict[str, Any]:
    """A copy that the garbage collector removes with the Job."""
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": text(job, "metadata", "name")}
    metadata = {**body["metadata"], "ownerReferences": [{**owner, "uid": text(job, "metadata", "uid")}]}
    return {**body, "metadata": metadata}


def _container(spec: Mapping[str, Any], release: Release, command: Sequence[str], gpu: str) -> dict[str, Any]:
    """The one that runs the release's image."""
    there = objects(spec, "containers")
    image = release.main.reference
    found = next((one for one in there if text(one, "image") == image), there[0])
    kept = {key: value for key, value in found.items() if key not in _NOT_FOR_JOBS}
    resources = {
        which: {key: value for key, value in amounts.items() if key != gpu} if isinstance(amounts, Mapping) else amounts
        for which, amounts in mapping(found, "resources").items()
    }
    return {**kept, "resources": resources, "args": [literal(word) for word in command]}


def _metadata(template: Mapping[str, Any], whole: Rendered, labels: Mapping[str, str]) -> dict[str, Any]:
    """The template's own, without any label by which Deployment or Service would take the pod for one of theirs."""
    selecting = {*mapping(whole.main.body, "spec", "selector", "matchLabels"), INSTANCE, WORKLOAD}
    for service in whole.of_kind("Service"):
        selecting |= {*mapping(service.body, "spec", "selector")}
    metadata = mapping(template, "metadata")
    own = {**mapping(metadata, "labels"), **labels}
    kept = {key: value for key, value in own.items() if key not in selecting}
    annotations = mapping(metadata, "annotations")
    return {"labels": kept, **({"annotations": dict(annotations)} if annotations else {})}


def _renamed(value: Any, renames: Mapping[tuple[str, str], str], used: set[tuple[str, str]]) -> Any:
    if isinstance(value, list | tuple):
        return [_renamed(one, renames, used) for one in value]
    if not isinstance(value, Mapping):
        return value
    found = {key: _renamed(one, renames, used) for key, one in value.items()}
    for member, naming, kind in _REFERENCES:
        name = at(found, member, naming)
        if isinstance(name, str) and (kind, name) in renames:
            used.add((kind, name))
            found[member] = {**found[member], naming: renames[kind, name]}
    for index, one in enumerate(objects(found, "imagePullSecrets")):
        if ("Secret", text(one, "name")) in renames:
            used.add(("Secret", text(one, "name")))
            found["imagePullSecrets"][index] = {"name": renames["Secret", text(one, "name")]}
    return found


def _copy(manifest: Manifest, renames: Mapping[tuple[str, str], str], labels: Mapping[str, str]) -> dict[str, Any]:
    body = manifest.copied()
    metadata = {"name": renames[manifest.kind, manifest.name], "labels": dict(labels)}
    body["metadata"] = {**metadata, **({"namespace": manifest.namespace} if manifest.namespace else {})}
    return body
