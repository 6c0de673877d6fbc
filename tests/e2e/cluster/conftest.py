"""The installed command against a real control plane: a namespace, a bucket for the ledger, and a way in of its own."""

from __future__ import annotations

import itertools
import os
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest

from tests.e2e.answer import Answer, asked
from tests.e2e.machine import Ended, Machine, own_home
from tests.e2e.projects import merged
from tests.rig import stores
from tests.rig.machine import survey
from tests.rig.stores import RunningStore

if TYPE_CHECKING:
    from tests.e2e.cluster.tiny_cluster import KubePlaces
    from tests.rig.api import Rig
    from tests.rig.kubernetes.handle import KubeRig

Kind = Literal["kubernetes", "knative"]

_NUMBERS = itertools.count()

QUICK: dict[str, Any] = {"scan": {"enabled": False}, "smoke": {"enabled": False}}
"""Other tests are about what is found in an image; the golden requests are asked of what serves all the same."""


@dataclass
class Cluster(Machine):
    """A namespace as far as shipper is concerned, and a machine that has a kubeconfig for it."""

    kind: Kind
    namespace: str
    hands: KubeRig
    store: RunningStore
    ledger: str
    kubeconfig: Path
    number: int

    def settings(self, **more: Any) -> dict[str, Any]:
        """What a project's shipper.toml says about this place, to be merged with more."""
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

    def release(self, folder: Path, *words: object, env: Mapping[str, str] | None = None) -> Ended:
        """`shipper release --target KIND --json` of a project."""
        return self.run("release", "--target", self.kind, "--json", "-C", folder, *words, env=env)

    def from_nowhere(self, *words: object) -> Ended:
        """A command from an empty directory of somebody who never released: the place is named by its address."""
        where = f"{self.kind}://rig/{self.namespace}?address={self.hands.edge_url}"
        empty = self.home / "empty"
        empty.mkdir(exist_ok=True)
        nothing = (self.home / "no-ledger").as_uri()
        named = ("--service", "shop", "--target", where, "--ledger", nothing)
        return self.run(*words, *named, "--json", env=own_home(self.home / "other"), cwd=empty)

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


@pytest.fixture(scope="module")
def kube_places(
    shipper: Path,
    rig: Rig,
    kube_rig: KubeRig,
    cluster_ledgers: RunningStore,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[KubePlaces]:
    """Namespaces with the tiny service, for a module's tests."""
    from tests.e2e.cluster.tiny_cluster import KubePlaces

    places = KubePlaces(shipper, rig, kube_rig, cluster_ledgers, tmp_path_factory.mktemp("clusters"))
    yield places
    places.close()


@pytest.fixture(scope="session")
def cluster_ledgers(rig: Rig) -> Iterator[RunningStore]:
    """The rig's object store, for every ledger of this session."""
    with stores.gcs() as store:
        yield store


def new_cluster(
    kind: Kind, shipper: Path, rig: Rig, hands: KubeRig, store: RunningStore, folder: Path, *, gate: bool = False
) -> Cluster:
    """A namespace with nothing in it yet, and a machine that knows of it; `gate`: the rig's gate sees what it asks."""
    home = folder / "home"
    home.mkdir(parents=True)
    namespace, kubeconfig = hands.namespace("e2e"), hands.kubeconfig(gate=gate)
    return Cluster(shipper, rig, home, kind, namespace, hands, store, store.url, kubeconfig, next(_NUMBERS))


@pytest.fixture
def cluster(
    shipper: Path, rig: Rig, kube_rig: KubeRig, cluster_ledgers: RunningStore, tmp_path: Path
) -> Iterator[Cluster]:
    """A namespace of Kubernetes."""
    made = new_cluster("kubernetes", shipper, rig, kube_rig, cluster_ledgers, tmp_path)
    yield made
    kube_rig.drop(made.namespace)
