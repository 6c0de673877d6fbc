"""The tiny service in a namespace of its own, in each shape that Kubernetes has of it."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from tests.e2e.cluster.conftest import new_cluster
from tests.e2e.cluster.namespace_place import BASE, STAMP, NamespacePlace
from tests.e2e.registry_place import Places

if TYPE_CHECKING:
    from tests.rig.api import Rig
    from tests.rig.kubernetes.handle import KubeRig
    from tests.rig.stores import RunningStore

Shape = Literal["rolling", "blue-green", "canary"]
SHAPES: tuple[Shape, ...] = get_args(Shape)

CARRIERS = {
    "deployments": "/apis/apps/v1/namespaces/{}/deployments",
    "services": "/api/v1/namespaces/{}/services",
    "httproutes": "/apis/gateway.networking.k8s.io/v1/namespaces/{}/httproutes",
}
_RELEASE = "shipper.dev/release"


@dataclass
class TinyCluster(NamespacePlace):
    """One strategy."""

    shape: Shape

    @property
    def own_settings(self) -> dict[str, Any]:
        here = {"targets": {"kubernetes": self._way_in}, "rollout": self._rollout}
        return {**super().own_settings, **here}

    @property
    def _way_in(self) -> dict[str, Any]:
        if self.shape != "canary":
            return {}
        route = {"name": "rig", "namespace": "rig-gateway", "hosts": [self.cluster.host]}
        return {"ingress": None, "gateway": route}

    @property
    def _rollout(self) -> dict[str, Any]:
        if self.shape == "rolling":
            return {}
        steps = {"steps": [10, 50]} if self.shape == "canary" else {}
        return {"strategy": self.shape, "bake": "300ms", **steps}

    @property
    def host(self) -> str:
        return self.cluster.host

    # What is there.

    def objects(self, what: str) -> list[dict[str, Any]]:
        """Of a kind that may carry the stamp, past the gate."""
        return self._items(CARRIERS[what])

    def _items(self, path: str) -> list[dict[str, Any]]:
        found = self.looked(path)
        assert found is not None, path
        return list(found["items"])

    @property
    def generations(self) -> int:
        """Of all Deployments: another sum means that one was made or changed."""
        return sum(int(one["metadata"]["generation"]) for one in self.objects("deployments"))

    @property
    def serves(self) -> dict[str, int]:
        """Who has traffic, by percent, as the objects say it: the route's backends, or what the Service selects."""
        for route in self.objects("httproutes"):
            backends = route["spec"]["rules"][0]["backendRefs"]
            return {one["name"]: one.get("weight", 1) for one in backends if one.get("weight", 1)}
        found = [one["spec"]["selector"] for one in self.objects("services") if one["metadata"]["name"] == BASE]
        return {one["shipper.dev/workload"]: 100 for one in found}

    def stamp(self) -> dict[str, Any]:
        """The last that was written: each object that ever moved traffic has one."""
        texts = [
            one["metadata"]["annotations"][STAMP]
            for what in CARRIERS
            for one in self.objects(what)
            if STAMP in one["metadata"].get("annotations", {})
        ]
        stamps: list[dict[str, Any]] = [json.loads(text) for text in texts]
        return max(stamps, key=lambda stamp: (int(stamp["epoch"]), int(stamp["at"])))

    def left_over(self) -> list[str]:
        """Deployments of no release that was ever verified, pods that a command ran in, and mixed traffic."""
        verified = {one.id for one in self.history() if one.outcome == "verified"}
        found = [
            f"Deployment {one['metadata']['name']}"
            for one in self.objects("deployments")
            if one["metadata"].get("annotations", {}).get(_RELEASE) not in verified
        ]
        jobs = self._items("/apis/batch/v1/namespaces/{}/jobs")
        mixed = [] if list(self.serves.values()) == [100] else [f"traffic {self.serves}"]
        return [*found, *(f"Job {one['metadata']['name']}" for one in jobs), *mixed]

    @property
    def in_order(self) -> bool:
        return self.text() is not None and not self.left_over()


KubePlaces = Places[TinyCluster, Shape]


@contextmanager
def places_in(shipper: Path, rig: Rig, hands: KubeRig, store: RunningStore, folder: Path) -> Iterator[KubePlaces]:
    """For a module's tests: each place a namespace and a ledger of its own."""
    homes = (folder / str(number) for number in itertools.count())

    def new(shape: Shape) -> TinyCluster:
        return TinyCluster(new_cluster("kubernetes", shipper, rig, hands, store, next(homes), gate=True), shape)

    places = KubePlaces(hands.edge_url, new, "rolling")
    yield places
    places.close()
