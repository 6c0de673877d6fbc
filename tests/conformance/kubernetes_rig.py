"""The Kubernetes adapter's rig: a place is a namespace of its own on the rig's cluster, whose pods really run.

Users come in over the rig's edge, by an Ingress or an HTTPRoute. What is done by hand is done with the API, as kubectl
would do it, under another field manager.
"""

from __future__ import annotations

import contextlib
import http.client
from collections.abc import Mapping, Sequence
from typing import Any

from shipper.model import Settings
from shipper.model.target import Traits
from shipper.targets.conformance import Answer, Values, powers_of
from shipper_targets.kubernetes import kind
from tests.conformance.cluster_by_hand import ClusterByHand
from tests.conformance.cluster_place import ClusterPlace
from tests.conformance.registry_images import PushedImages
from tests.rig.kubernetes.handle import KubeRig

STAMP = "shipper.dev/stamp"
OURS = "shipper.dev/service"


class KubernetesRig:
    """Implements shipper.targets.conformance.Rig for one strategy: the shape of what is deployed depends on it."""

    def __init__(self, strategy: str, images: PushedImages) -> None:
        self._strategy, self._images = strategy, images
        self.cluster: KubeRig | None = None
        """Set before a place is used."""

    @property
    def kind(self) -> str:
        return f"kubernetes, {self._strategy}"

    @property
    def traits(self) -> Traits:
        return self._idle().target(self._idle().settings(), Values({})).traits

    @property
    def powers(self) -> frozenset[type]:
        place = self._idle()
        return powers_of(place.target(place.settings(), Values({})), place)

    def fresh(self, service: str = "") -> KubernetesPlace:
        assert self.cluster is not None, "no cluster was given to this rig"
        namespace = self.cluster.namespace("conf")
        hands = ClusterByHand(self.cluster.kubeconfig(), namespace)
        return self._made(service or "shop", hands, self.cluster.edge_url)

    def _idle(self) -> KubernetesPlace:
        """Only to be looked at."""
        return self._made("shop", ClusterByHand(None, "none"), "http://127.0.0.1:9")

    def _made(self, service: str, hands: ClusterByHand, edge: str) -> KubernetesPlace:
        made = ReplacedPlace if self._strategy in ("rolling", "recreate") else SharedPlace
        return made(self._strategy, service, hands, edge, self._images)


class KubernetesPlace(ClusterPlace):
    """Implements Place, Drifts, LosesStamp, LosesRevisions, StoresSecrets, RunsCommands and KillsProcesses.

    Images are pulled by nodes: that one is gone from the registry is seen when a pod starts, and not before.
    """

    adapter = kind
    adopts = False

    def __init__(
        self, strategy: str, service: str, hands: ClusterByHand, edge: str, images: PushedImages | None
    ) -> None:
        super().__init__(service, hands, edge, images)
        self.strategy = strategy

    @property
    def host(self) -> str:
        return f"{self._service}.{self.hands.namespace}.rig.test"

    @property
    def base(self) -> str:
        """Of Deployment, Service and route."""
        return f"{self._service}-test"

    @property
    def own(self) -> Mapping[str, Any]:
        way_in: dict[str, Any] = (
            {"gateway": {"name": "rig", "namespace": "rig-gateway", "hosts": [self.host]}}
            if self.strategy == "canary"
            else {"ingress": {"host": self.host}}
        )
        return {**super().own, "pre_stop": 1, "adopt": self.adopts, **way_in}

    def settings(self, **more: Any) -> Settings:
        return super().settings(rollout={"strategy": self.strategy, "drain": 5, "timeout": 60, "bake": 0.5}, **more)

    def read(self, answer: http.client.HTTPResponse, body: bytes) -> Answer:
        """The edge answers for itself, without naming a pod, when it has nowhere to go."""
        if answer.status in (404, 503) and answer.getheader("x-rig-pod") is None:
            raise OSError(f"nothing is routed there: {answer.status} {body[:80]!r}")
        return Answer(answer.status, body)

    def leaks(self) -> Sequence[str]:
        """Objects of ours without a Deployment, and Jobs and pods that ran a command."""
        found = self.hands.everything(OURS)
        deployed = any(name.startswith("Deployment/") for name in found)
        return [name for name in found if not deployed or name.startswith("Job/")]

    def close(self) -> None:
        self.hands.drop()

    # By hand.

    def drift(self) -> None:
        """Another grace period, as `kubectl edit` does it: pods are replaced."""
        change = {"spec": {"template": {"spec": {"terminationGracePeriodSeconds": 77}}}}
        self.hands.patch("apps/v1", "Deployment", self._serving(), change)

    def lose_stamp(self) -> None:
        lost = {"metadata": {"annotations": {STAMP: None}}}
        carriers = [("apps/v1", "Deployment"), ("v1", "Service"), ("gateway.networking.k8s.io/v1", "HTTPRoute")]
        for version, what in carriers:
            for found in self.hands.all(version, what):
                if STAMP in found["metadata"].get("annotations", {}):
                    self.hands.patch(version, what, found["metadata"]["name"], lost)

    def lose_revision(self, name: str) -> None:
        """Its Deployment, where it has one, and its record."""
        with contextlib.suppress(KeyError):
            self.hands.delete("apps/v1", "Deployment", name)
        for found in self.hands.all("v1", "Secret"):
            if found.get("type") == "shipper.dev/release" and name in found["metadata"]["name"]:
                self.hands.delete("v1", "Secret", found["metadata"]["name"])

    def _serving(self) -> str:
        """The Deployment that has the most traffic."""
        if self.strategy == "canary":
            route = self.hands.get("gateway.networking.k8s.io/v1", "HTTPRoute", self.base)
            backends = route["spec"]["rules"][0]["backendRefs"]
            return str(max(backends, key=lambda backend: backend.get("weight", 1))["name"])
        return str(self.hands.get("v1", "Service", self.base)["spec"]["selector"]["shipper.dev/workload"])


class ReplacedPlace(KubernetesPlace):
    """One Deployment, which each release replaces."""


class SharedPlace(KubernetesPlace):
    """One Deployment for each release. Implements Adopts, too: whatever a Service selects can be left as it is."""

    adopts = True

    def adopt(self, text: str) -> None:
        labels = {"app": "legacy"}
        container = {"name": "web", "image": self.image("good", text).reference, "ports": [{"containerPort": 8080}]}
        template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
        self.hands.put(
            "apps/v1", "Deployment", "legacy", {"spec": {"selector": {"matchLabels": labels}, "template": template}}
        )
        port = {"port": 80, "targetPort": 8080}
        self.hands.put("v1", "Service", self.base, {"spec": {"selector": labels, "ports": [port]}})
        backend: Mapping[str, Any] = {"service": {"name": self.base, "port": {"number": 80}}}
        if self.strategy == "canary":
            rules = [{"backendRefs": [{"name": self.base, "port": 80}]}]
            parents = [{"name": "rig", "namespace": "rig-gateway"}]
            spec = {"parentRefs": parents, "hostnames": [self.host], "rules": rules}
            self.hands.put("gateway.networking.k8s.io/v1", "HTTPRoute", self.base, {"spec": spec})
        else:
            path = {"path": "/", "pathType": "Prefix", "backend": backend}
            rule = {"host": self.host, "http": {"paths": [path]}}
            self.hands.put("networking.k8s.io/v1", "Ingress", self.base, {"spec": {"rules": [rule]}})
        self.hands.until_ready("legacy")
