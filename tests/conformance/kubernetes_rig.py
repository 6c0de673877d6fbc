"""The Kubernetes adapter's rig: a place is a namespace of its own on the rig's cluster, whose pods really run.

Users come in over the rig's edge, by an Ingress or an HTTPRoute. What is done by hand is done with the API, as kubectl
would do it, under another field manager.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import http.client
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from shipper.model import ImageRef, Settings, TargetSettings
from shipper.model.context import Secrets
from shipper.model.target import Traits
from shipper.targets import Target, TargetContext
from shipper.targets.conformance import Answer, Ended, ImageKind, Kill, Run, Values, powers_of, run_in_child
from shipper_targets.kubernetes import kind
from tests.conformance.cluster_by_hand import ClusterByHand
from tests.conformance.registry_images import RegistryImages, repository
from tests.rig.kubernetes.handle import KubeRig

STAMP = "shipper.dev/stamp"
OURS = "shipper.dev/service"


class KubernetesRig:
    """Implements shipper.targets.conformance.Rig for one strategy: the shape of what is deployed depends on it."""

    def __init__(self, strategy: str, images: RegistryImages) -> None:
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


class KubernetesPlace:
    """Implements Place, Drifts, LosesStamp, LosesRevisions, StoresSecrets, RunsCommands and KillsProcesses.

    Images are pulled by nodes: that one is gone from the registry is seen when a pod starts, and not before.
    Pickles, for a run's own process; that one makes no images.
    """

    adopts = False

    def __init__(
        self, strategy: str, service: str, hands: ClusterByHand, edge: str, images: RegistryImages | None
    ) -> None:
        self.strategy, self._service, self.hands, self._edge, self._images = strategy, service, hands, edge, images

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_images": None}

    @property
    def host(self) -> str:
        """The service's name for its users."""
        return f"{self._service}.{self.hands.namespace}.rig.test"

    @property
    def base(self) -> str:
        """Of Deployment, Service and route."""
        return f"{self._service}-test"

    @property
    def chosen(self) -> TargetSettings:
        way_in: dict[str, Any] = (
            {"gateway": {"name": "rig", "namespace": "rig-gateway", "hosts": [self.host]}}
            if self.strategy == "canary"
            else {"ingress": {"host": self.host}}
        )
        own = {
            "context": "rig",
            "kubeconfig": str(self.hands.kubeconfig),
            "namespace": self.hands.namespace,
            "address": self._edge,
            "pre_stop": 1,
            "adopt": self.adopts,
            **way_in,
        }
        return TargetSettings(name="cluster", kind="kubernetes", settings=own)

    def settings(self) -> Settings:
        return Settings.model_validate(
            {
                "service": {"service": self._service, "environment": "test", "root": "/"},
                "image": {"repository": repository()},
                "health": {"startup": 8, "timeout": 1},
                "run": {"stop_grace": 1},
                "rollout": {"strategy": self.strategy, "drain": 5, "timeout": 60, "bake": 0.5},
            }
        )

    def target(self, settings: Settings, secrets: Secrets) -> Target:
        return kind.connect(TargetContext(self.chosen.name, settings, self.chosen.settings, secrets))

    def image(self, kind: ImageKind, text: str = "") -> ImageRef:
        assert self._images is not None, "a run's own process makes no images"
        return self._images(kind, text)

    def ask(self, path: str = "/") -> Answer:
        """The edge answers for itself, without naming a pod, when it has nowhere to go."""
        edge = urlsplit(self._edge)
        connection = http.client.HTTPConnection(edge.hostname or "", edge.port, timeout=15)
        try:
            connection.request("GET", path, headers={"Host": self.host})
            answer = connection.getresponse()
            body = answer.read()
        except http.client.HTTPException as error:
            raise OSError(str(error)) from error
        finally:
            connection.close()
        if answer.status in (404, 503) and answer.getheader("x-rig-pod") is None:
            raise OSError(f"nothing is routed there: {answer.status} {body[:80]!r}")
        return Answer(answer.status, body)

    def leaks(self) -> Sequence[str]:
        """Objects of ours without a Deployment, and Jobs and pods that ran a command."""
        found = self.hands.everything(OURS)
        deployed = any(name.startswith("Deployment/") for name in found)
        return [name for name in found if not deployed or name.startswith("Job/")]

    def run(self, run: Run, kill: Kill) -> Ended:
        return run_in_child(self, run, kill)

    def close(self) -> None:
        self.hands.drop()

    def store_secret(self, name: str, value: str) -> str:
        """One Secret for each name, changed in place, as its owner would."""
        secret = f"store-{hashlib.sha256(name.encode()).hexdigest()[:10]}"
        content = {"value": base64.b64encode(value.encode()).decode()}
        self.hands.put("v1", "Secret", secret, {"data": content})
        return f"kubernetes:{secret}/value"

    def command(self, status: int) -> Sequence[str]:
        return ("python", "-c", f"print('migrated'); raise SystemExit({status})")

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
