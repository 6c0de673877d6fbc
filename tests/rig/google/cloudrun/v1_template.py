"""The template of revisions, v2 <-> v1, as JSON (pure). A Revision has the same fields, so it is read with this too."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tests.rig.google.cloudrun import v1_annotations, v1_containers
from tests.rig.google.cloudrun.errors import ApiError
from tests.rig.google.cloudrun.v1_annotations import FLAG, RUN, TEMPLATE, Json
from tests.rig.google.cloudrun.v1_containers import Aliases

_CPU_THROTTLING = f"{RUN}/cpu-throttling"
_CPU_BOOST = f"{RUN}/startup-cpu-boost"
_DEPENDENCIES = f"{RUN}/container-dependencies"
_BASE_IMAGES = f"{RUN}/base-images"
_SECRETS = f"{RUN}/secrets"
_CLOUD_SQL = f"{RUN}/cloudsql-instances"
_ACCELERATOR = f"{RUN}/accelerator"
# gcloud writes these into templates; v2 has no field for them there, and they change nothing.
_DROPPED = (f"{RUN}/client-name", f"{RUN}/client-version")


def template_to_v1(v2: Mapping[str, Any]) -> Json:
    """`{"metadata": {name, labels, annotations}, "spec": …}`."""
    aliases = Aliases()
    spec = _spec(v2, aliases)
    annotations = {
        **v2.get("annotations", {}),
        **v1_annotations.written(TEMPLATE, v2),
        **_container_annotations(v2.get("containers", [])),
    }
    outside = {_SECRETS: aliases.annotation(), _CLOUD_SQL: v1_containers.cloud_sql(v2.get("volumes", []))}
    annotations |= {key: text for key, text in outside.items() if text}
    metadata: Json = {"annotations": annotations, "labels": dict(v2.get("labels", {}))}
    if v2.get("revision"):
        metadata["name"] = v2["revision"]
    return {"metadata": metadata, "spec": spec}


def template_from_v1(v1: Mapping[str, Any]) -> Json:
    """The reverse of `template_to_v1`. ApiError for annotations that mean nothing."""
    metadata, spec = v1.get("metadata") or {}, v1.get("spec") or {}
    annotations = {key: text for key, text in (metadata.get("annotations") or {}).items() if key not in _DROPPED}
    aliases = Aliases(annotations.pop(_SECRETS, ""))
    v2: Json = {
        "labels": _user_labels(metadata.get("labels") or {}),
        "containers": [v1_containers.container_from_v1(one, aliases) for one in spec.get("containers", [])],
    }
    _take_spec(spec, aliases, v2)
    if metadata.get("name"):
        v2["revision"] = metadata["name"]
    if _CLOUD_SQL in annotations:
        v1_containers.mount_cloud_sql(v2, annotations.pop(_CLOUD_SQL))
    _take_container_annotations(annotations, v2["containers"])
    v1_annotations.take(TEMPLATE, annotations, v2, "spec.template.metadata")
    v1_annotations.refuse_unknown(annotations, "spec.template.metadata")
    v2["annotations"] = annotations
    return v2


def _spec(v2: Mapping[str, Any], aliases: Aliases) -> Json:
    spec: Json = {
        "containers": [v1_containers.container_to_v1(container, aliases) for container in v2.get("containers", [])]
    }
    if v2.get("volumes"):
        spec["volumes"] = v1_containers.volumes_to_v1(v2["volumes"], aliases)
    if v2.get("maxInstanceRequestConcurrency"):
        spec["containerConcurrency"] = v2["maxInstanceRequestConcurrency"]
    if v2.get("timeout"):
        spec["timeoutSeconds"] = int(float(v2["timeout"].removesuffix("s")))
    if v2.get("serviceAccount"):
        spec["serviceAccountName"] = v2["serviceAccount"]
    if v2.get("nodeSelector", {}).get("accelerator"):
        spec["nodeSelector"] = {_ACCELERATOR: v2["nodeSelector"]["accelerator"]}
    return spec


def _take_spec(spec: Mapping[str, Any], aliases: Aliases, v2: Json) -> None:
    if spec.get("volumes"):
        v2["volumes"] = v1_containers.volumes_from_v1(spec["volumes"], aliases)
    if spec.get("containerConcurrency"):
        v2["maxInstanceRequestConcurrency"] = spec["containerConcurrency"]
    if spec.get("timeoutSeconds"):
        v2["timeout"] = f"{spec['timeoutSeconds']}s"
    if spec.get("serviceAccountName"):
        v2["serviceAccount"] = spec["serviceAccountName"]
    if (spec.get("nodeSelector") or {}).get(_ACCELERATOR):
        v2["nodeSelector"] = {"accelerator": spec["nodeSelector"][_ACCELERATOR]}


def _container_annotations(containers: list[Json]) -> dict[str, str]:
    """What v1 says about containers outside of them. CPU settings are those of the container with the port."""
    found = {}
    resources = _ingress(containers).get("resources")
    if resources is not None:
        found[_CPU_THROTTLING] = FLAG.write(resources.get("cpuIdle", False))
        if resources.get("startupCpuBoost"):
            found[_CPU_BOOST] = "true"
    for key, member in ((_DEPENDENCIES, "dependsOn"), (_BASE_IMAGES, "baseImageUri")):
        named = {container.get("name", ""): container[member] for container in containers if container.get(member)}
        if named:
            found[key] = json.dumps(named)
    return found


def _take_container_annotations(annotations: dict[str, str], containers: list[Json]) -> None:
    idle = _flag(annotations.pop(_CPU_THROTTLING, "true"), _CPU_THROTTLING)
    for container in containers:
        container["resources"]["cpuIdle"] = idle
    _ingress(containers).setdefault("resources", {})["startupCpuBoost"] = _flag(
        annotations.pop(_CPU_BOOST, "false"), _CPU_BOOST
    )
    for key, member in ((_DEPENDENCIES, "dependsOn"), (_BASE_IMAGES, "baseImageUri")):
        for name, value in json.loads(annotations.pop(key, "{}")).items():
            for container in containers:
                if container.get("name", "") == name:
                    container[member] = value


def _flag(text: str, key: str) -> bool:
    try:
        return bool(FLAG.read(text))
    except ValueError:
        problem = f"spec.template.metadata.annotations[{key}]: Invalid value: '{text}'"
        raise ApiError("INVALID_ARGUMENT", problem) from None


def _ingress(containers: list[Json]) -> Json:
    """The container that takes requests: the one with a port, or the first; an empty one when there is none."""
    with_port = [container for container in containers if container.get("ports")]
    return (with_port or containers or [{}])[0]


def _user_labels(labels: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in labels.items() if key.partition("/")[0] not in v1_annotations.PLATFORM}
