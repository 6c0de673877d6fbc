"""The tiny service in a namespace of its own.

Everything that the command asks of the cluster goes through the rig's gate, which numbers the writes and can hold each
of them; what the tests look at is read past it.
"""

from __future__ import annotations

import subprocess
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from tests.e2e.cluster.conftest import Cluster
from tests.e2e.machine import Ended
from tests.e2e.registry_place import RegistryPlace, until_held
from tests.rig import load
from tests.rig.killing_processes import kill_tree
from tests.rig.kubernetes.gate.hands import When, Write

BASE = "shop-dev"
STAMP = "shipper.dev/stamp"


@dataclass
class NamespacePlace(RegistryPlace):
    """One namespace, one service, one folder."""

    cluster: Cluster

    @property
    def machine(self) -> Cluster:
        return self.cluster

    @property
    def name(self) -> str:
        return self.cluster.namespace

    @property
    @abstractmethod
    def host(self) -> str:
        """The service's name for its users; "" while it has none."""

    def run(self, *words: object) -> Ended:
        return self.cluster.run(*words)

    def start(self, *words: object) -> subprocess.Popen[str]:
        return self.cluster.start(*words)

    def under_load(self, rate: float) -> load.Load:
        port = urlsplit(self.cluster.hands.edge_url).port
        assert port is not None
        return load.start(port, rate=rate, host=self.host)

    def remove(self) -> None:
        self.cluster.hands.drop(self.cluster.namespace)

    def another_machine(self, name: str) -> Self:
        """Somebody else's, with a home and a copy of the project of its own; the same service, place and ledger."""
        home = self.cluster.home.parent / name
        home.mkdir()
        return replace(self, cluster=replace(self.cluster, home=home))

    def as_(self, kubeconfig: Path) -> Self:
        """The same place, for somebody who comes in this way."""
        return replace(self, cluster=replace(self.cluster, kubeconfig=kubeconfig))

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

    def looked(self, path: str) -> dict[str, Any] | None:
        """What the API server says past the gate; None when it is not there. `path` with {} for the namespace."""
        status, found = self.cluster.hands.request("GET", path.format(self.cluster.namespace))
        assert status in (200, 404), found
        return found if status == 200 else None
