"""Why builders in a cluster do not get ready, in the cluster's own words.

buildx counts ready pods until its time is over. What can never heal is known within seconds, to who asks: pods that
may not be made (quota, pod security), images that cannot be pulled, containers that crash.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from shipper.model.json_text import parse_json

_TIMEOUT = 10
"""Seconds for one question."""
_NEVER_HEALS = frozenset(
    {
        *("ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"),
        *("CrashLoopBackOff", "CreateContainerConfigError", "CreateContainerError", "RunContainerError"),
    }
)
"""Reasons of waiting containers. ErrImagePull is not among them: the first try may fail and the second succeed."""


@dataclass(frozen=True)
class Where:
    """Which pods: of this Deployment. `context` is None inside of a cluster."""

    kubeconfig: str
    context: str | None
    namespace: str
    deployment: str


@dataclass(frozen=True)
class Reason:
    """What keeps them from being ready; `final` when it does not go away by itself."""

    words: str
    final: bool


def why_not_ready(where: Where) -> Reason | None:
    """Asks the API server. None when nothing stands in the way yet, or when it cannot be told: without the Kubernetes
    client (the extra `kubernetes`), or when the API server does not say. The builder's own error then stands alone."""
    try:
        found = _ask(where)
    except ImportError:
        return None
    return None if found is None else reason_of(*found)


def reason_of(deployment: Mapping[str, Any], pods: Sequence[Mapping[str, Any]]) -> Reason | None:
    """The worst of what the Deployment and its pods say. Pure."""
    reasons = [*_of_deployment(deployment), *(reason for pod in pods for reason in _of_pod(pod))]
    return next((reason for reason in reasons if reason.final), next(iter(reasons), None))


def _of_deployment(deployment: Mapping[str, Any]) -> Iterator[Reason]:
    for condition in deployment.get("status", {}).get("conditions") or ():
        if condition.get("type") == "ReplicaFailure" and condition.get("status") == "True":
            yield Reason(f"pods cannot be made: {condition.get('message', '')}", final=True)


def _of_pod(pod: Mapping[str, Any]) -> Iterator[Reason]:
    status = pod.get("status", {})
    for container in status.get("containerStatuses") or ():
        waiting = container.get("state", {}).get("waiting") or {}
        reason, message = waiting.get("reason", ""), waiting.get("message", "")
        if reason in _NEVER_HEALS:
            yield Reason(f"{reason}: {message or _last_end(container)}".rstrip(": "), final=True)
        elif reason == "ErrImagePull":
            yield Reason(f"{reason}: {message}", final=False)
    for condition in status.get("conditions") or ():
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            yield Reason(f"{condition.get('reason', '')}: {condition.get('message', '')}", final=False)


def _last_end(container: Mapping[str, Any]) -> str:
    ended = (container.get("lastState") or {}).get("terminated") or {}
    return f"exit code {ended['exitCode']}" if "exitCode" in ended else ""


def _ask(where: Where) -> tuple[Mapping[str, Any], Sequence[Mapping[str, Any]]] | None:
    from kubernetes.client import ApiClient, ApiException
    from kubernetes.config import ConfigException, load_incluster_config, new_client_from_config
    from urllib3.exceptions import HTTPError

    namespace = quote(where.namespace, safe="")
    name = quote(where.deployment, safe="")
    labels = urlencode({"labelSelector": f"app={where.deployment}"})
    try:
        if where.context is None:
            load_incluster_config()  # type: ignore[no-untyped-call]
            client = ApiClient()
        else:
            client = new_client_from_config(where.kubeconfig, context=where.context)  # type: ignore[no-untyped-call]
        with client:
            deployment = _get(client, f"/apis/apps/v1/namespaces/{namespace}/deployments/{name}")
            pods = _get(client, f"/api/v1/namespaces/{namespace}/pods?{labels}")
    except (ApiException, ConfigException, HTTPError, OSError, ValueError):
        return None
    return deployment, pods.get("items") or ()


def _get(client: Any, path: str) -> dict[str, Any]:
    """Raises ValueError for anything but a JSON object with status 200, and what the client raises."""
    asked = client.param_serialize(
        method="GET", resource_path=path, header_params={"Accept": "application/json"}, auth_settings=["BearerToken"]
    )
    reply = client.call_api(*asked, _request_timeout=_TIMEOUT)
    said = parse_json(reply.read())
    if reply.status != 200 or not isinstance(said, dict):
        raise ValueError(f"{path}: {reply.status}")
    return said
