"""The tiny service in a namespace of its own.

Everything that the command asks of the cluster goes through the rig's gate, which numbers the writes and can hold each
of them; what the tests look at is read past it.
"""

from __future__ import annotations

import itertools
import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args
from urllib.parse import urlsplit

from tests.e2e.cluster.conftest import Cluster, new_cluster
from tests.e2e.machine import Ended
from tests.e2e.registry_place import Places, RegistryPlace, until_held
from tests.rig import load
from tests.rig.killing_processes import kill_tree
from tests.rig.kubernetes.gate.hands import When, Write

if TYPE_CHECKING:
    from tests.rig.api import Rig
    from tests.rig.kubernetes.handle import KubeRig
    from tests.rig.stores import RunningStore

Shape = Literal["rolling", "blue-green", "canary"]
SHAPES: tuple[Shape, ...] = get_args(Shape)

BASE = "shop-dev"
CARRIERS = {
    "deployments": "/apis/apps/v1/namespaces/{}/deployments",
    "services": "/api/v1/namespaces/{}/services",
    "httproutes": "/apis/gateway.networking.k8s.io/v1/namespaces/{}/httproutes",
}
_STAMP, _RELEASE = "shipper.dev/stamp", "shipper.dev/release"


@dataclass
class TinyCluster(RegistryPlace):
    """One namespace, one service, one folder, one strategy."""

    cluster: Cluster
    shape: Shape

    @property
    def machine(self) -> Cluster:
        return self.cluster

    @property
    def name(self) -> str:
        return self.cluster.namespace

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

    def run(self, *words: object) -> Ended:
        return self.cluster.run(*words)

    def start(self, *words: object) -> subprocess.Popen[str]:
        return self.cluster.start(*words)

    def under_load(self, rate: float) -> load.Load:
        port = urlsplit(self.cluster.hands.edge_url).port
        assert port is not None
        return load.start(port, rate=rate, host=self.cluster.host)

    def remove(self) -> None:
        self.cluster.hands.drop(self.cluster.namespace)

    def another_machine(self, name: str) -> TinyCluster:
        """Somebody else's, with a home and a copy of the project of its own; the same service, place and ledger."""
        home = self.cluster.home.parent / name
        home.mkdir()
        return replace(self, cluster=replace(self.cluster, home=home))

    # One write of a command, from outside.

    @contextmanager
    def stopped_at(
        self, k: int, when: When, *words: object, resource: str = "*"
    ) -> Iterator[tuple[subprocess.Popen[str], Write]]:
        """A command whose k-th write (to such a resource) is held, before or after it is carried out.

        The write goes on when the block ends, unless the block has let it go or dropped it. Raises WasNotHeld.
        """
        gate, namespace = self.cluster.hands.gate, self.cluster.namespace
        gate.hold(namespace, k, when, resource=resource)
        process = self.start(*words)
        try:
            yield process, until_held(process, k, lambda: gate.held(namespace, 0.2))
        finally:
            gate.release(namespace)
            if process.poll() is None:
                kill_tree(process.pid)
                process.communicate()

    @contextmanager
    def killed_at(self, k: int, when: When, *words: object) -> Iterator[Write]:
        """SIGKILL at the k-th write: it was held, and is never carried out (before) or stands (after)."""
        with self.stopped_at(k, when, *words) as (process, held):
            kill_tree(process.pid)
            process.communicate(timeout=60)
            self.cluster.hands.gate.release(self.cluster.namespace, carry=when == "after")
        yield held

    # What is there.

    def writes(self) -> list[Write]:
        """Every write to the namespace, in the order in which they came."""
        return self.cluster.hands.gate.writes(self.cluster.namespace)

    def objects(self, what: str) -> list[dict[str, Any]]:
        """Of a kind that may carry the stamp, past the gate."""
        status, found = self.cluster.hands.request("GET", CARRIERS[what].format(self.cluster.namespace))
        assert status == 200, found
        items: list[dict[str, Any]] = found["items"]
        return items

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
            one["metadata"]["annotations"][_STAMP]
            for what in CARRIERS
            for one in self.objects(what)
            if _STAMP in one["metadata"].get("annotations", {})
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
        status, jobs = self.cluster.hands.request("GET", f"/apis/batch/v1/namespaces/{self.cluster.namespace}/jobs")
        assert status == 200, jobs
        mixed = [] if list(self.serves.values()) == [100] else [f"traffic {self.serves}"]
        return [*found, *(f"Job {one['metadata']['name']}" for one in jobs["items"]), *mixed]

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
