"""Where a cluster of the rig keeps its things, and the ports that it chose once. Standard library only."""

from __future__ import annotations

import json
import random
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.rig.daemons import Daemon
from tests.rig.machine import Machine
from tests.rig.shell import RigError

_PORTS = (
    *("etcd", "etcd_peers", "apiserver"),
    *("gate", "gate_hands", "nodes", "router", "edge"),
    *("knative_webhook", "knative_profiling"),
)
_RANGE = range(17000, 30000)
"""Below the ports that systems give to outgoing connections."""


@dataclass(frozen=True)
class Place:
    """One cluster's folder. `tls/`, `etcd/`, the kubeconfigs and all logs are in it."""

    folder: Path

    @property
    def ports(self) -> dict[str, int]:
        """By name, the same until somebody else has one of them when the cluster starts."""
        file = self.folder / "ports.json"
        found: dict[str, int] = json.loads(file.read_text()) if file.exists() else {}
        return found if set(found) == set(_PORTS) else {}

    def choose_ports(self) -> None:
        """Keep those that are free, choose others for the rest; nothing of the cluster runs."""
        kept = {name: port for name, port in self.ports.items() if is_free(port)}
        chosen = {name: kept.get(name) or _free(kept.values()) for name in _PORTS}
        while len(set(chosen.values())) < len(chosen):
            chosen = {name: kept.get(name) or _free(kept.values()) for name in _PORTS}
        (self.folder / "ports.json").write_text(json.dumps(chosen, indent=1))

    @property
    def server(self) -> str:
        """The API server itself."""
        return f"https://127.0.0.1:{self.ports['apiserver']}"

    @property
    def kubeconfig(self) -> Path:
        """Of the cluster's administrator, past the gate."""
        return self.folder / "kubeconfig"

    @property
    def gate_kubeconfig(self) -> Path:
        """The same through the gate."""
        return self.folder / "kubeconfig-gate"

    @property
    def tls(self) -> Path:
        return self.folder / "tls"

    def daemon(self, name: str, process: str | None = None) -> Daemon:
        """`process` is its name for the system, where that is not its own."""
        return Daemon(process or name, self.folder / f"{name}.pid", self.folder / f"{name}.log")

    def runs(self, name: str, code: str, process: str | None = None) -> bool:
        """Whether it was started from these sources and is alive."""
        mark = self._mark(name)
        return mark.exists() and mark.read_text() == code and self.daemon(name, process).pid() is not None

    def mark(self, name: str, code: str) -> None:
        """Keep what was started."""
        self._mark(name).write_text(code)

    def _mark(self, name: str) -> Path:
        return self.folder / f"{name}.code"


def place(machine: Machine) -> Place:
    """The rig's own cluster."""
    return Place(machine.state / "kubernetes")


def is_free(port: int) -> bool:
    """Whether a process may listen there now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def answers(port: int) -> bool:
    """Whether somebody accepts connections there."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _free(taken: Iterable[int]) -> int:
    for port in random.sample(_RANGE, 200):
        if port not in taken and is_free(port):
            return port
    raise RigError(f"no port from {_RANGE.start} to {_RANGE.stop} is free")
