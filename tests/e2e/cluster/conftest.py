"""The installed command against a real control plane: a namespace, a bucket for the ledger, and a way in of its own."""

from __future__ import annotations

import itertools
import os
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import pytest

from tests.e2e.answer import Answer, asked
from tests.e2e.machine import PlatformMachine
from tests.e2e.projects import merged
from tests.rig.machine import survey

if TYPE_CHECKING:
    from tests.e2e.cluster.tiny_cluster import KubePlaces
    from tests.e2e.cluster.tiny_knative import KnativePlaces, TinyKnative
    from tests.rig.api import Rig
    from tests.rig.kubernetes.handle import KubeRig
    from tests.rig.stores import RunningStore

Kind = Literal["kubernetes", "knative"]

_NUMBERS = itertools.count()


@dataclass
class Cluster(PlatformMachine):
    """A namespace as far as shipper is concerned, and a machine that has a kubeconfig for it."""

    namespace: str
    hands: KubeRig
    kubeconfig: Path
    number: int

    def settings(self, **more: Any) -> dict[str, Any]:
        own: dict[str, Any] = {"kind": self.kind, "context": "rig", "namespace": self.namespace}
        own["address"] = self.hands.edge_url
        if self.kind == "kubernetes":
            own |= {"ingress": {"host": self.host}, "pre_stop": "1s"}
        here = {
            "targets": {self.kind: own},
            "image": {"repository": f"{survey().registry}/e2e-{os.getpid()}-{self.number}/shop"},
            "ledger": {"url": self.ledger},
            "health": {"startup": "20s"},
            "run": {"stop_grace": "2s"},
        }
        return merged(here, more)

    @property
    def host(self) -> str:
        """The service's name for its users, where it has an Ingress or a route."""
        return f"shop.{self.namespace}.rig.test"

    def reach(self) -> Mapping[str, str]:
        """What a user of a cluster has in the environment, and the way to the ledger."""
        return {"KUBECONFIG": str(self.kubeconfig), **self.store.environ}

    @property
    def address(self) -> str:
        """What it does not say, where the service's users are answered, the release's record does."""
        return f"{self.kind}://rig/{self.namespace}"

    def ask(self, path: str = "/", *, body: bytes | None = None) -> Answer:
        """Ask the service as its users do: over the way in, by its name."""
        return asked(f"{self.hands.edge_url}{path}", host=self.host, body=body)

    def kubectl(self, *words: str) -> str:
        """What kubectl prints; it has to end well."""
        done = subprocess.run(
            ["kubectl", "--context", "rig", "--namespace", self.namespace, *words],
            env={**os.environ, "KUBECONFIG": str(self.kubeconfig)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"kubectl {' '.join(words)}: {done.stderr}"
        return done.stdout


def new_cluster(
    kind: Kind, shipper: Path, rig: Rig, hands: KubeRig, store: RunningStore, folder: Path, *, gate: bool = False
) -> Cluster:
    """A namespace with nothing in it yet, and a machine that knows of it; `gate`: the rig's gate sees what it asks."""
    home = folder / "home"
    home.mkdir(parents=True)
    namespace, kubeconfig = hands.namespace("e2e"), hands.kubeconfig(gate=gate)
    return Cluster(shipper, rig, home, kind, store, store.url, namespace, hands, kubeconfig, next(_NUMBERS))


class FreshCluster(Protocol):
    """Makes namespaces."""

    def __call__(self, kind: Kind, *, gate: bool = False) -> Cluster:
        """With nothing in it yet; it goes at the end of the test."""


@pytest.fixture
def fresh_cluster(
    shipper: Path, rig: Rig, kube_rig: KubeRig, ledger_store: RunningStore, tmp_path: Path
) -> Iterator[FreshCluster]:
    """Of Knative where the test has `knative_rig`, too."""
    made: list[Cluster] = []

    def fresh(kind: Kind, *, gate: bool = False) -> Cluster:
        folder = tmp_path / f"machine{len(made)}"
        made.append(new_cluster(kind, shipper, rig, kube_rig, ledger_store, folder, gate=gate))
        return made[-1]

    yield fresh
    for cluster in made:
        kube_rig.drop(cluster.namespace)


@pytest.fixture
def cluster(fresh_cluster: FreshCluster) -> Cluster:
    """A namespace of Kubernetes."""
    return fresh_cluster("kubernetes")


@pytest.fixture
def knative(fresh_cluster: FreshCluster, knative_rig: KubeRig) -> Cluster:
    """A namespace of a cluster with Knative."""
    return fresh_cluster("knative")


@pytest.fixture(scope="module")
def kube_places(
    shipper: Path,
    rig: Rig,
    kube_rig: KubeRig,
    ledger_store: RunningStore,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[KubePlaces]:
    """Namespaces with the tiny service, for a module's tests."""
    from tests.e2e.cluster.tiny_cluster import places_in

    with places_in(shipper, rig, kube_rig, ledger_store, tmp_path_factory.mktemp("clusters")) as made:
        yield made


@pytest.fixture(scope="module")
def knative_places(
    shipper: Path,
    rig: Rig,
    knative_rig: KubeRig,
    ledger_store: RunningStore,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[KnativePlaces]:
    """Namespaces of Knative with the tiny service, for a module's tests."""
    from tests.e2e.cluster.tiny_knative import places_in

    with places_in(shipper, rig, knative_rig, ledger_store, tmp_path_factory.mktemp("knative")) as made:
        yield made


@pytest.fixture
def knative_place(knative_places: KnativePlaces) -> TinyKnative:
    """The one that tests share; something serves."""
    return knative_places.kept("knative")
