"""Services, revisions, configurations and routes: v2's messages <-> v1's Knative-shaped objects (pure).

Based on https://cloud.google.com/run/docs/reference/rest/v1/ and on what gcloud 528 reads. Lost on the way through v1,
because it has no place for it: Service.build_config, multi_region_settings, Container.source_code and build_info, and
the CPU settings of containers without a port. The real service shows a project's number as the namespace, this one its
id. Not verified: `status.observedGeneration` moving at the end of a failed write too (gcloud waits for it), and that
conditions are Unknown while a service is being deleted (gcloud takes False for a deletion that failed).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from google.cloud import run_v2
from google.protobuf import json_format

from tests.rig.google.cloudrun import v1_annotations
from tests.rig.google.cloudrun.errors import ApiError
from tests.rig.google.cloudrun.names import project_of, short
from tests.rig.google.cloudrun.v1_annotations import RUN, SERVICE, Json
from tests.rig.google.cloudrun.v1_conditions import condition_to_v1
from tests.rig.google.cloudrun.v1_template import template_from_v1, template_to_v1

API_VERSION = "serving.knative.dev/v1"
SERVICE_LABEL = "serving.knative.dev/service"
LOCATION_LABEL = "cloud.googleapis.com/location"
OPERATION = f"{RUN}/operation-id"
_BINARY_AUTHORIZATION = f"{RUN}/binary-authorization"
_LATEST = "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST"
_REVISION = "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION"
# Only the platform writes these; whoever reads an object and sends it back sends them too.
_OUTPUT = (
    OPERATION,
    f"{RUN}/urls",
    f"{RUN}/ingress-status",
    "serving.knative.dev/creator",
    "serving.knative.dev/lastModifier",
)


def service_to_v1(service: run_v2.Service, operation: str = "") -> Json:
    """A service as v1 shows it; `operation` is the name of the write that answers with it."""
    v2 = _shown(service)
    annotations = _service_annotations(v2)
    if operation:
        annotations[OPERATION] = short(operation)
    spec: Json = {"template": template_to_v1(v2.get("template", {}))}
    spec["traffic"] = [_target_to_v1(target) for target in v2.get("traffic", [])]
    return {
        "apiVersion": API_VERSION,
        "kind": "Service",
        "metadata": {**_metadata(v2, "services"), "annotations": annotations},
        "spec": spec,
        "status": _service_status(v2),
    }


def service_from_v1(v1: Mapping[str, Any], name: str) -> run_v2.Service:
    """The desired state of the service `name` (v2's full name); its etag is the resourceVersion when there is one.

    ApiError for what is not such an object.
    """
    try:
        return _parsed(_service_from_v1(v1, name))
    except (AttributeError, KeyError, TypeError, ValueError, json_format.ParseError) as error:
        raise ApiError("INVALID_ARGUMENT", f"Invalid JSON payload received. {error!r}") from error


def _service_from_v1(v1: Mapping[str, Any], name: str) -> Json:
    metadata, spec = v1.get("metadata") or {}, v1.get("spec") or {}
    annotations = {key: text for key, text in (metadata.get("annotations") or {}).items() if key not in _OUTPUT}
    v2: Json = {"name": name, "template": template_from_v1(spec.get("template") or {})}
    platform = v1_annotations.PLATFORM
    labels = metadata.get("labels") or {}
    v2["labels"] = {key: value for key, value in labels.items() if key.partition("/")[0] not in platform}
    v2["traffic"] = [_target_from_v1(target) for target in spec.get("traffic") or []]
    if metadata.get("resourceVersion"):
        v2["etag"] = f'"{metadata["resourceVersion"]}"'
    if _BINARY_AUTHORIZATION in annotations:
        policy = annotations.pop(_BINARY_AUTHORIZATION)
        v2["binaryAuthorization"] = {"useDefault": True} if policy == "default" else {"policy": policy}
    v1_annotations.take(SERVICE, annotations, v2, "metadata")
    v1_annotations.refuse_unknown(annotations, "metadata")
    v2["annotations"] = annotations
    return v2


def revision_to_v1(revision: run_v2.Revision, service_uid: str = "") -> Json:
    """A revision."""
    v2 = json_format.MessageToDict(run_v2.Revision.pb(revision))
    template = template_to_v1(v2)
    service = short(v2["service"])
    metadata = _metadata(v2, "revisions")
    metadata["annotations"] = {**template["metadata"]["annotations"], "serving.knative.dev/creator": revision.creator}
    metadata["labels"] |= {
        SERVICE_LABEL: service,
        "serving.knative.dev/configuration": service,
        "serving.knative.dev/serviceUid": service_uid,
    }
    owner = {"apiVersion": API_VERSION, "kind": "Configuration", "name": service, "controller": True}
    metadata["ownerReferences"] = [owner]
    status: Json = {
        "conditions": [condition_to_v1(condition) for condition in v2.get("conditions", [])],
        "observedGeneration": int(v2.get("generation", 0)),
        "logUrl": v2.get("logUri", ""),
        "serviceName": service,
    }
    image = v2.get("containers", [{}])[0].get("image", "")
    if "@sha256:" in image:
        status["imageDigest"] = image
    spec = template["spec"]
    return {"apiVersion": API_VERSION, "kind": "Revision", "metadata": metadata, "spec": spec, "status": status}


def configuration_of(service: Json) -> Json:
    """The Configuration that a v1 service stands for: its template, and how its newest revision does."""
    status = service["status"]
    return _part(
        service,
        "Configuration",
        {"template": service["spec"]["template"]},
        {name: status[name] for name in ("latestCreatedRevisionName", "latestReadyRevisionName") if name in status},
        "ConfigurationsReady",
    )


def route_of(service: Json) -> Json:
    """The Route that a v1 service stands for: its traffic and addresses."""
    status = service["status"]
    return _part(
        service,
        "Route",
        {"traffic": service["spec"]["traffic"]},
        {name: status[name] for name in ("traffic", "url", "address") if name in status},
        "RoutesReady",
    )


def _part(service: Json, kind: str, spec: Json, status: Json, ready: str) -> Json:
    own = [{**found, "type": "Ready"} for found in service["status"]["conditions"] if found["type"] == ready]
    metadata = {**service["metadata"], "labels": {**service["metadata"]["labels"], SERVICE_LABEL: _name(service)}}
    metadata["selfLink"] = metadata["selfLink"].replace("/services/", f"/{kind.lower()}s/")
    whole = {**status, "conditions": own, "observedGeneration": service["status"]["observedGeneration"]}
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": metadata, "spec": spec, "status": whole}


def _name(v1: Json) -> str:
    return str(v1["metadata"]["name"])


def _metadata(v2: Json, collection: str) -> Json:
    project, place = project_of(v2["name"]), v2["name"].split("/")[3]
    namespace, name = project, short(v2["name"])
    return {
        "name": name,
        "namespace": namespace,
        "selfLink": f"/apis/{API_VERSION}/namespaces/{namespace}/{collection}/{name}",
        "uid": v2.get("uid", ""),
        "resourceVersion": v2.get("etag", "").strip('"'),
        "generation": int(v2.get("generation", 0)),
        "creationTimestamp": v2.get("createTime", ""),
        "labels": {**v2.get("labels", {}), LOCATION_LABEL: place},
        **({"deletionTimestamp": v2["deleteTime"]} if v2.get("deleteTime") else {}),
    }


def _service_annotations(v2: Json) -> dict[str, str]:
    annotations = {**v2.get("annotations", {}), **v1_annotations.written(SERVICE, v2)}
    if annotations.get(f"{RUN}/launch-stage") == "GA":
        del annotations[f"{RUN}/launch-stage"]  # as the real service: only BETA and ALPHA are shown
    guard = v2.get("binaryAuthorization", {})
    if guard.get("useDefault") or guard.get("policy"):
        annotations[_BINARY_AUTHORIZATION] = "default" if guard.get("useDefault") else guard["policy"]
    annotations["serving.knative.dev/creator"] = v2.get("creator", "")
    annotations["serving.knative.dev/lastModifier"] = v2.get("lastModifier", "")
    annotations[f"{RUN}/ingress-status"] = annotations.get(f"{RUN}/ingress", "all")
    annotations[f"{RUN}/urls"] = json.dumps(v2.get("urls", []))
    return annotations


def _service_status(v2: Json) -> Json:
    conditions = [v2[name] for name in ("terminalCondition",) if name in v2] + v2.get("conditions", [])
    observed = v2.get("observedGeneration", 0) if v2.get("reconciling") else v2.get("generation", 0)
    latest = short(v2.get("latestReadyRevision", ""))
    if v2.get("deleteTime"):
        conditions = [{"type": condition["type"]} for condition in conditions]
    status: Json = {
        "conditions": [condition_to_v1(condition) for condition in conditions],
        "observedGeneration": int(observed),
        "traffic": [_status_to_v1(target, latest) for target in v2.get("trafficStatuses", [])],
    }
    if v2.get("uri"):
        status |= {"url": v2["uri"], "address": {"url": v2["uri"]}}
    for name, value in (
        ("latestCreatedRevisionName", v2.get("latestCreatedRevision")),
        ("latestReadyRevisionName", latest),
    ):
        if value:
            status[name] = short(value)
    return status


def _target_to_v1(v2: Json) -> Json:
    v1 = {name: v2[name] for name in ("percent", "tag") if v2.get(name)}
    if v2.get("type") == _LATEST:
        return {**v1, "latestRevision": True}
    return {**v1, "revisionName": v2.get("revision", "")}


def _status_to_v1(v2: Json, latest: str) -> Json:
    v1 = _target_to_v1(v2)
    if v1.get("latestRevision"):
        v1["revisionName"] = latest
    return {**v1, **({"url": v2["uri"]} if v2.get("uri") else {})}


def _target_from_v1(v1: Mapping[str, Any]) -> Json:
    v2: Json = {name: v1[name] for name in ("percent", "tag") if v1.get(name)}
    if v1.get("latestRevision"):
        return {**v2, "type": _LATEST}
    return {**v2, "type": _REVISION, "revision": v1.get("revisionName", "")}


def _shown(service: run_v2.Service) -> Json:
    return dict(json_format.MessageToDict(run_v2.Service.pb(service)))


def _parsed(v2: Json) -> run_v2.Service:
    service = run_v2.Service()
    json_format.ParseDict(v2, run_v2.Service.pb(service))
    return service
