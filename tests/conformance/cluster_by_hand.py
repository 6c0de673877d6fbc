"""What a person does to a namespace with kubectl: put, get, list, patch, delete. Under a field manager of their own."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

MANAGER = "by-hand"

PLURALS = {
    "Deployment": "deployments",
    "ReplicaSet": "replicasets",
    "Service": "services",
    "Secret": "secrets",
    "ConfigMap": "configmaps",
    "ServiceAccount": "serviceaccounts",
    "HorizontalPodAutoscaler": "horizontalpodautoscalers",
    "PodDisruptionBudget": "poddisruptionbudgets",
    "Ingress": "ingresses",
    "HTTPRoute": "httproutes",
    "Gateway": "gateways",
    "Job": "jobs",
    "Pod": "pods",
    "EndpointSlice": "endpointslices",
}
EVERYTHING = (
    ("apps/v1", "Deployment"),
    ("v1", "Service"),
    ("v1", "Secret"),
    ("v1", "ConfigMap"),
    ("v1", "ServiceAccount"),
    ("autoscaling/v2", "HorizontalPodAutoscaler"),
    ("policy/v1", "PodDisruptionBudget"),
    ("networking.k8s.io/v1", "Ingress"),
    ("gateway.networking.k8s.io/v1", "HTTPRoute"),
    ("batch/v1", "Job"),
)


class ClusterByHand:
    """One namespace. Pickles: another process asks with a client of its own."""

    def __init__(self, kubeconfig: Path | None, namespace: str) -> None:
        self.kubeconfig, self.namespace = kubeconfig, namespace

    def __getstate__(self) -> dict[str, Any]:
        return {"kubeconfig": self.kubeconfig, "namespace": self.namespace}

    def put(self, version: str, kind: str, name: str, content: Mapping[str, Any]) -> None:
        """Made, or replaced by what is given."""
        body = {"apiVersion": version, "kind": kind, "metadata": {"name": name}, **content}
        if self._ask("PUT", version, kind, name, body)[0] == 404:
            status, said = self._ask("POST", version, kind, "", body)
            assert status == 201, f"make {kind} {name}: {status} {said}"

    def get(self, version: str, kind: str, name: str) -> dict[str, Any]:
        """Raises KeyError when it is not there."""
        status, found = self._ask("GET", version, kind, name)
        if status == 404:
            raise KeyError(f"{kind}/{name}")
        assert status == 200, f"get {kind} {name}: {status} {found}"
        return found

    def all(self, version: str, kind: str, labels: str = "") -> list[dict[str, Any]]:
        """Those with these labels; none where the cluster does not know the kind."""
        status, found = self._ask("GET", version, kind, "", query={"labelSelector": labels} if labels else {})
        if status == 404:
            return []
        assert status == 200, f"list {kind}: {status} {found}"
        items: list[dict[str, Any]] = found["items"]
        return items

    def patch(self, version: str, kind: str, name: str, change: Mapping[str, Any]) -> None:
        """A merge patch."""
        status, said = self._ask("PATCH", version, kind, name, change)
        assert status == 200, f"patch {kind} {name}: {status} {said}"

    def delete(self, version: str, kind: str, name: str) -> None:
        """Raises KeyError when it is not there."""
        self._delete(self._path(version, kind, name))

    def everything(self, labels: str) -> list[str]:
        """Kind/name of all that has this label and is not on its way out."""
        return [
            f"{kind}/{found['metadata']['name']}"
            for version, kind in EVERYTHING
            for found in self.all(version, kind, labels)
            if "deletionTimestamp" not in found["metadata"]
        ]

    def until_ready(self, deployment: str) -> None:
        """All of its pods are available."""
        deadline = time.monotonic() + 30
        while not (found := self.get("apps/v1", "Deployment", deployment)).get("status", {}).get("availableReplicas"):
            assert time.monotonic() < deadline, f"{deployment} is not available: {found.get('status')}"
            time.sleep(0.1)

    def drop(self) -> None:
        """The namespace with everything in it; it takes a while to go, and nobody waits."""
        with contextlib.suppress(KeyError):
            self._delete(f"/api/v1/namespaces/{self.namespace}", going=409)

    def _ask(
        self, method: str, version: str, kind: str, name: str, body: Any = None, query: Mapping[str, str] | None = None
    ) -> tuple[int, dict[str, Any]]:
        return self._request(method, self._path(version, kind, name), body, query)

    def _path(self, version: str, kind: str, name: str) -> str:
        root = f"/api/{version}" if "/" not in version else f"/apis/{version}"
        return f"{root}/namespaces/{self.namespace}/{PLURALS[kind]}" + (f"/{name}" if name else "")

    def _delete(self, path: str, going: int = 202) -> None:
        """`going`: the status that says that it is on its way out already."""
        status, said = self._request("DELETE", path)
        if status == 404:
            raise KeyError(path)
        assert status in (200, 202, going), f"delete {path}: {status} {said}"

    def _request(
        self, method: str, path: str, body: Any = None, query: Mapping[str, str] | None = None
    ) -> tuple[int, dict[str, Any]]:
        content = "application/merge-patch+json" if method == "PATCH" else "application/json"
        asked = dict(query or {}) | ({"fieldManager": MANAGER} if method in ("PATCH", "PUT", "POST") else {})
        headers = {"Accept": "application/json", "Content-Type": content}
        client = self._client
        client.update_params_for_auth(headers, [], ["BearerToken"], path, method, body)
        url = f"{client.configuration.host}{path}?{urlencode(asked)}"
        said = client.rest_client.pool_manager.request(
            method, url, headers=headers, body=None if body is None else json.dumps(body).encode(), timeout=30
        )
        return int(said.status), json.loads(said.data or b"{}")

    @cached_property
    def _client(self) -> Any:
        from kubernetes import config

        return config.new_client_from_config(str(self.kubeconfig), context="rig")  # type: ignore[no-untyped-call]
