"""The Knative adapter's rig: a place is a namespace of its own on the rig's cluster, with Knative's own reconcilers.

Images are in the rig's registry, revisions really run as pods on the rig's nodes, and the address is asked through its
router. Nothing wakes a revision that is at zero there (no activator), and nothing proxies in its pods.
"""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from shipper.model.target import Traits
from shipper.targets import Conflict, Transient
from shipper.targets.conformance import Answer, Values, powers_of
from shipper_targets.knative import kind
from shipper_targets.knative.conditions import has_routed, is_current, state_of
from shipper_targets.knative.kinds import REVISION, SERVICE
from shipper_targets.kubernetes.api import Api
from shipper_targets.kubernetes.kinds import JOB
from shipper_targets.kubernetes.settings import KubernetesSettings
from shipper_targets.kubernetes.values import is_leaving, name_of, objects, text
from tests.conformance.cluster_by_hand import ClusterByHand
from tests.conformance.cluster_place import ClusterPlace
from tests.conformance.registry_images import PushedImages
from tests.rig.kubernetes.handle import KubeRig

NEWEST = "latestCreatedRevisionName"
SMALL = 0.2
"""Of their real time, what pods wait before they are started again."""


class KnativeRig:
    """Implements shipper.targets.conformance.Rig. Nothing is asked of anybody before a place is used."""

    kind = "knative"

    def __init__(self, images: PushedImages) -> None:
        self._images = images
        self.cluster: KubeRig | None = None

    @property
    def traits(self) -> Traits:
        return kind.traits

    @property
    def powers(self) -> frozenset[type]:
        place = KnativePlace("shop", ClusterByHand(None, "nowhere"), "http://127.0.0.1", None, None)
        return powers_of(place.target(place.settings(), Values({})), place)

    def fresh(self, service: str = "") -> KnativePlace:
        assert self.cluster is not None, "the cluster is a fixture's to give"
        namespace = self.cluster.namespace("kn")
        self.cluster.nodes.time_factor(SMALL, namespace)
        hands = ClusterByHand(self.cluster.kubeconfig(), namespace)
        return KnativePlace(service or "shop", hands, self.cluster.edge_url, self._images, self.cluster)


class KnativePlace(ClusterPlace):
    """Implements Place, Drifts, LosesStamp, LosesRevisions, StoresSecrets, RunsCommands, Adopts and KillsProcesses.

    A run's own process makes no namespaces either.
    """

    adapter = kind

    def __init__(
        self, service: str, hands: ClusterByHand, edge: str, images: PushedImages | None, cluster: KubeRig | None
    ) -> None:
        super().__init__(service, hands, edge, images)
        self._cluster = cluster

    def __getstate__(self) -> dict[str, Any]:
        kept = {name: value for name, value in super().__getstate__().items() if name != "_api"}
        return {**kept, "_cluster": None}

    @property
    def host(self) -> str:
        service = self._find()
        url = text(service, "status", "url") if service is not None else ""
        if not url:
            raise OSError("there is no address")
        return urlsplit(url).netloc

    def read(self, answer: http.client.HTTPResponse, body: bytes) -> Answer:
        if answer.status == 404 and body.startswith(b"no route"):
            raise OSError("nothing is routed there")
        return Answer(answer.status, body, answer.getheader("x-rig-service"))

    def leaks(self) -> Sequence[str]:
        """Tags that nobody needs, Jobs, revisions whose Service is gone, and those of failed attempts: but for the
        newest, which Knative would make again.
        """
        service = self._find()
        found = [f"Job {name_of(one)}" for one in self._api.list(JOB).items]
        if service is None:
            left = self._api.list(REVISION).items
            return [*found, *(f"revision {name_of(one)}" for one in left)]
        newest = {text(service, "spec", "template", "metadata", "name"), text(service, "status", NEWEST)}
        there = [one for one in self._api.list(REVISION).items if not is_leaving(one) and name_of(one) not in newest]
        found += [f"revision {name_of(one)}" for one in there if state_of(one) == "failed"]
        traffic = objects(service, "spec", "traffic")
        return [*found, *(f"tag {text(one, 'tag')}" for one in traffic if one.get("tag") and not one.get("percent"))]

    def close(self) -> None:
        if self._cluster is not None:
            self._cluster.drop(self.hands.namespace)

    # By hand.

    def drift(self) -> None:
        """Another variable, as `kubectl edit` does it: a new revision with a name that the platform makes."""
        service = self._needed()
        container = dict(objects(service, "spec", "template", "spec", "containers")[0])
        container["env"] = [*container.get("env", []), {"name": "BY_HAND", "value": "yes"}]
        template = {"metadata": {"name": None}, "spec": {"containers": [container]}}
        self._change({"spec": {"template": template}})
        self._settled()

    def lose_stamp(self) -> None:
        self._change({"metadata": {"annotations": {"shipper.dev/stamp": None}}})

    def lose_revision(self, name: str) -> None:
        self._api.delete(REVISION, name)
        _until(lambda: self._api.find(REVISION, name) is None, f"{name} to be gone")

    def adopt(self, text: str) -> None:
        container = {"image": self.image("good", text).reference, "ports": [{"containerPort": 8080}]}
        body = {
            "apiVersion": SERVICE.api_version,
            "kind": SERVICE.kind,
            "metadata": {"name": self._name},
            "spec": {"template": {"spec": {"containers": [container]}}},
        }
        self._api.create(SERVICE, body)
        self._settled()
        _until(self._answers, "it to answer")

    def _answers(self) -> bool:
        try:
            return self.ask().status == 200
        except OSError:
            return False

    def _settled(self) -> None:
        _until(lambda: is_current(self._needed()) and has_routed(self._needed()), f"{self._name} to settle")

    def _change(self, patch: Mapping[str, Any]) -> None:
        for _ in range(20):
            try:
                self._api.merge(SERVICE, self._name, patch)
                return
            except (Conflict, Transient):
                continue
        raise AssertionError(f"{self._name} could not be changed by hand")

    @property
    def _name(self) -> str:
        from shipper_targets.knative.names import service_name
        from shipper_targets.knative.settings import KnativeSettings

        return service_name(self.settings(), KnativeSettings.model_validate(self.own))

    @cached_property
    def _api(self) -> Api:
        there = KubernetesSettings(context="rig", kubeconfig=str(self.hands.kubeconfig), namespace=self.hands.namespace)
        return Api(there)

    def _find(self) -> dict[str, Any] | None:
        return self._api.find(SERVICE, self._name)

    def _needed(self) -> dict[str, Any]:
        found = self._find()
        assert found is not None, "there is no Service yet"
        return found


def _until(condition: Any, what: str, patience: float = 60.0) -> None:
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline, f"waited {patience:g} s for {what}"
        threading.Event().wait(0.05)
