"""What the tests of the rig's nodes and router say: deploy this, look at the pod, wait for that."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.rig.kubernetes import asking
from tests.rig.kubernetes.handle import KubeRig

Object = dict[str, Any]
PATIENCE = 60.0


@dataclass(frozen=True)
class Pods:
    """One namespace of the rig's cluster."""

    rig: KubeRig
    namespace: str

    def deploy(
        self,
        name: str,
        image: str,
        *,
        replicas: int = 1,
        labels: Mapping[str, str] | None = None,
        pod: Mapping[str, Any] | None = None,
        deployment: Mapping[str, Any] | None = None,
        **container: Any,
    ) -> None:
        """A Deployment of one container `app`, applied: again changes it."""
        spec = {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": self._template({"app": name, **(labels or {})}, image, pod, container),
            **(deployment or {}),
        }
        self.apply("apps/v1", "Deployment", "deployments", name, {"spec": spec})

    def job(self, name: str, image: str, labels: Mapping[str, str] | None = None, **container: Any) -> None:
        """A Job that is tried once."""
        template = self._template({"job": name, **(labels or {})}, image, {"restartPolicy": "Never"}, container)
        self.apply("batch/v1", "Job", "jobs", name, {"spec": {"backoffLimit": 0, "template": template}})

    def service(self, name: str, app: str, port: int = 80, **spec: Any) -> None:
        ports = [{"name": "http", "port": port, "targetPort": 8080}]
        self.apply("v1", "Service", "services", name, {"spec": {"selector": {"app": app}, "ports": ports, **spec}})

    def http_route(self, name: str, host: str, weights: Mapping[str, int], **spec: Any) -> None:
        """On the rig's Gateway; `weights` are those of Services."""
        backends = [{"name": service, "port": 80, "weight": weight} for service, weight in weights.items()]
        parent = {"name": "rig", "namespace": "rig-gateway"}
        body = {"parentRefs": [parent], "hostnames": [host], "rules": [{"backendRefs": backends}], **spec}
        self.apply("gateway.networking.k8s.io/v1", "HTTPRoute", "httproutes", name, {"spec": body})

    def apply(self, group: str, kind: str, plural: str, name: str, body: Object) -> Object:
        """Server-side apply."""
        whole = {"apiVersion": group, "kind": kind, "metadata": {"name": name}, **body}
        path = f"{self._path(group, plural)}/{name}?fieldManager=test&force=true"
        found: Object = asking.done(self.rig.client, "PATCH", path, whole, "application/apply-patch+yaml")
        return found

    def get(self, group: str, plural: str, name: str) -> Object:
        found: Object = asking.done(self.rig.client, "GET", f"{self._path(group, plural)}/{name}")
        return found

    def all_of(self, plural: str, group: str = "v1", query: str = "") -> list[Object]:
        found: list[Object] = asking.done(self.rig.client, "GET", self._path(group, plural) + query)["items"]
        return found

    def delete(self, plural: str, name: str, group: str = "v1") -> None:
        path = f"{self._path(group, plural)}/{name}?propagationPolicy=Background"
        asking.done(self.rig.client, "DELETE", path)

    def of(self, app: str) -> list[Object]:
        """The pods of a Deployment."""
        return self.all_of("pods", query=f"?labelSelector=app%3D{app}")

    def container(self, app: str) -> Object:
        """The status of the first container of a Deployment's first pod; {} while there is none."""
        pods = self.of(app)
        statuses = pods[0]["status"].get("containerStatuses", []) if pods else []
        return statuses[0] if statuses else {}

    def waits_for(self, app: str) -> str:
        """The reason that its container waits for; "" when it does not wait."""
        return str(self.container(app).get("state", {}).get("waiting", {}).get("reason", ""))

    def is_ready(self, app: str, count: int = 1) -> bool:
        return sum(self.pod_is_ready(pod) for pod in self.of(app)) >= count

    def pod_is_ready(self, pod: Object) -> bool:
        return self.condition(pod, "Ready").get("status") == "True"

    def condition(self, thing: Object, kind: str) -> Object:
        found: Object = next((one for one in thing["status"].get("conditions", []) if one["type"] == kind), {})
        return found

    def events(self, reason: str) -> list[str]:
        """The messages of the namespace's Events of a reason."""
        return [one["message"] for one in self.all_of("events") if one["reason"] == reason]

    def logs(self, pod: str, query: str = "") -> tuple[int, Any]:
        return self.rig.request("GET", f"{self._path('v1', 'pods')}/{pod}/log{query}")

    def through(self, kind: str, name: str, path: str = "/", port: int = 8080) -> tuple[int, Any]:
        """Ask a pod or a Service through the API server."""
        return self.rig.request("GET", f"{self._path('v1', kind)}/{name}:{port}/proxy{path}")

    def until(self, holds: Callable[[], bool], patience: float = PATIENCE) -> None:
        """Poll; when it does not come, the failure says what the pods are."""
        deadline = time.monotonic() + patience
        while not holds():
            if time.monotonic() > deadline:
                raise AssertionError(f"not within {patience:.0f} s; {self._seen()}")
            time.sleep(0.05)

    def _seen(self) -> str:
        pods = [
            (one["metadata"]["name"], [status["state"] for status in one["status"].get("containerStatuses", [])])
            for one in self.all_of("pods")
        ]
        return f"pods {pods}; events {[one['message'] for one in self.all_of('events')][-6:]}"

    def _template(
        self, labels: Mapping[str, str], image: str, pod: Mapping[str, Any] | None, container: Mapping[str, Any]
    ) -> Object:
        spec: Object = {"containers": [{"name": "app", "image": image, **container}]}
        spec["terminationGracePeriodSeconds"] = 5
        return {"metadata": {"labels": dict(labels)}, "spec": spec | dict(pod or {})}

    def _path(self, group: str, plural: str) -> str:
        root = "/api/v1" if group == "v1" else f"/apis/{group}"
        return f"{root}/namespaces/{self.namespace}/{plural}"


@contextmanager
def pods_in(rig: KubeRig, *, factor: float = 0.05) -> Iterator[Pods]:
    """A fresh namespace in which back-offs take `factor` of their time; its pods go at the end."""
    namespace = rig.namespace("pods")
    rig.nodes.time_factor(factor, namespace)
    try:
        yield Pods(rig, namespace)
    finally:
        rig.nodes.forget(namespace=namespace)
        rig.drop(namespace)
