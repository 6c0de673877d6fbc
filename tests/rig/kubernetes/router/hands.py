"""The rig's router for tests in any process. Standard library only.

The edge is http://127.0.0.1:EDGE; the Host header says where to. An answer of a pod has the headers x-rig-pod and
x-rig-service (for Knative: the revision). An unknown host is 404 "no route for …"; a Service without ready endpoints is
503, one that is not there 500.

* Every Service with a selector: Host <name>.<namespace>.svc.rig.test (its first port).
* HTTPRoutes of the Gateway rig-gateway/rig (GatewayClass `rig`) or of any other Gateway of that class: hostnames.
* Ingresses of IngressClass `rig`, or of none: hosts, path `/`.
* Knative: the hosts of its Ingresses, tags included.

    router.hold(ns)                             # as an ingress layer that is away: what it routed, it routes
    router.hold(ns, "no certificate for …")     # … or one that fails, and says so
    router.release(ns)
"""

from __future__ import annotations

import http.client
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.rig.kubernetes.nodes.asking import ask

GATEWAY_NAMESPACE, GATEWAY = "rig-gateway", "rig"
"""The Gateway that takes routes from every namespace."""


@dataclass(frozen=True)
class Answer:
    status: int
    body: str
    headers: Mapping[str, str]
    """With lower-case names."""

    @property
    def pod(self) -> str:
        """Who answered; "" when the router did."""
        return self.headers.get("x-rig-pod", "")

    @property
    def service(self) -> str:
        """The Service, for Knative the revision, that the request was routed to."""
        return self.headers.get("x-rig-service", "")


@dataclass(frozen=True)
class RouterHands:
    """`url` is where the daemon's port answers."""

    url: str

    def answers(self) -> bool:
        """Whether the router is there and follows the API server."""
        try:
            return bool(ask(self.url, "status", timeout=5)["ready"])
        except (OSError, ValueError):
            return False

    def status(self) -> dict[str, Any]:
        """{"ready", "edge": port or None, "looks", "routes": [{"host", "servers": {pod:port:service: weight}}], "held":
        {namespace: failure}}.
        """
        found: dict[str, Any] = ask(self.url, "status")
        return found

    def hold(self, namespace: str, failure: str = "") -> None:
        """What Knative asks of its ingress there from now on is neither carried nor reported, until `release`.

        Whatever is routed stays, and follows its pods. With `failure` the new generation is reported as failed with
        these words; without, Knative hears nothing of it. What had not been carried when this returns is held as well.
        """
        ask(self.url, "hold", namespace=namespace, failure=failure)

    def release(self, namespace: str) -> None:
        """What was held is carried and reported, a moment later; nothing when nothing was."""
        ask(self.url, "release", namespace=namespace)

    def get(
        self, host: str, path: str = "/", timeout: float = 10.0, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """One GET through the edge. OSError or http.client.HTTPException when it gets no answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.status()["edge"], timeout=timeout)
        try:
            connection.request("GET", path, headers={"Host": host, **(headers or {})})
            found = connection.getresponse()
            body = found.read().decode("utf-8", "replace")
            return Answer(found.status, body, {name.lower(): value for name, value in found.getheaders()})
        finally:
            connection.close()

    def until(self, host: str, status: int = 200, patience: float = 30.0) -> Answer:
        """Ask for `/` until the status comes: routes are programmed a moment after the objects are written."""
        deadline = time.monotonic() + patience
        while (found := self.get(host)).status != status:
            if time.monotonic() > deadline:
                raise AssertionError(f"{host} still answers {found.status} {found.body!r} after {patience:.0f} s")
            time.sleep(0.05)
        return found
