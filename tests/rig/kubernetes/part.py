"""The rig's parts: programs, cluster (with gate, nodes and router), Knative. Standard library only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.rig.google import sources
from tests.rig.kubernetes import build, control_plane, knative
from tests.rig.kubernetes.place import Place, place
from tests.rig.machine import Machine
from tests.rig.shell import RigError
from tools import venvs

_HERE = Path(__file__).parent
_ROOT = _HERE.parents[2]
_PYTHON = "python"
"""The helpers' name for the system."""
_CLUSTER = ("build.py", "certificates.py", "control_plane.py", "crds.py", "kubeconfigs.py", "place.py")


@dataclass(frozen=True)
class _Helper:
    """A process beside the control plane: a package here that is run with the development environment."""

    name: str
    options: Callable[[Place], list[str | Path]]
    also: tuple[str, ...] = ()
    """Folders whose code it runs, beside its own."""

    @property
    def there(self) -> bool:
        return (_HERE / self.name / "__main__.py").exists()

    @property
    def code(self) -> str:
        return sources.digest(file for name in (self.name, *self.also) for file in (_HERE / name).rglob("*.py"))

    def runs(self, place: Place) -> bool:
        return place.runs(self.name, self.code, _PYTHON) and _ready(place, self.name).exists()

    def start(self, place: Place) -> None:
        self.stop(place)
        _ready(place, self.name).unlink(missing_ok=True)
        words: list[str | Path] = ["env", f"PYTHONPATH={_ROOT}", _python(), "-m", f"tests.rig.kubernetes.{self.name}"]
        state = place.folder / self.name
        state.mkdir(exist_ok=True)
        argv: list[str | Path] = [*words, *self.options(place), "--state", state]
        place.daemon(self.name, _PYTHON).start(argv, _ready(place, self.name).exists, patience=60)
        place.mark(self.name, self.code)

    def stop(self, place: Place) -> bool:
        return place.daemon(self.name, _PYTHON).stop()


def _gate(place: Place) -> list[str | Path]:
    tls, ports = place.tls, place.ports
    return [
        *("--upstream", place.server, "--upstream-ca", tls / "ca.crt"),
        *("--cert", tls / "gate.crt", "--key", tls / "gate.key"),
        *("--port", str(ports["gate"]), "--hands", str(ports["gate_hands"])),
    ]


def _nodes(place: Place) -> list[str | Path]:
    return ["--kubeconfig", place.kubeconfig, "--port", str(place.ports["nodes"])]


def _router(place: Place) -> list[str | Path]:
    ports = place.ports
    return ["--kubeconfig", place.kubeconfig, "--port", str(ports["router"]), "--edge", str(ports["edge"])]


_HELPERS = (
    _Helper("gate", _gate),
    _Helper("nodes", _nodes, also=("pods",)),
    _Helper("router", _router, also=("nodes",)),
)


def look(machine: Machine) -> str | None:
    """Where the API server answers, when all of it runs today's code; None otherwise."""
    there = place(machine)
    if not control_plane.runs(there, _code()):
        return None
    return _words(there) if all(helper.runs(there) for helper in _HELPERS if helper.there) else None


def make(machine: Machine) -> str:
    """A new cluster, unless only a helper is missing or from other sources."""
    there = place(machine)
    told = ""
    if not control_plane.runs(there, _code()):
        stop(machine)
        told = f"; {control_plane.boot(there, _code())}; {control_plane.memory(there)}"
    for helper in _HELPERS:
        if helper.there and not helper.runs(there):
            helper.start(there)
    return _words(there) + told


def stop(machine: Machine) -> str | None:
    """End it with everything on it."""
    there = place(machine)
    stopped = [knative.stop(there), *(helper.stop(there) for helper in reversed(_HELPERS)), control_plane.stop(there)]
    return "stopped" if any(stopped) else None


def look_knative(machine: Machine) -> str | None:
    """Whether it runs on the cluster that runs."""
    there = place(machine)
    if not control_plane.runs(there, _code()) or not knative.runs(there, _knative_code()):
        return None
    return f"Knative Serving {build.KNATIVE}"


def make_knative(machine: Machine) -> str:
    """On the cluster that is there. Raises RigError."""
    registries = ("rig.test", "registry.test", "index.docker.io", machine.registry)
    return f"Knative Serving {build.KNATIVE}; {knative.start(place(machine), _knative_code(), registries)}"


def stop_knative(machine: Machine) -> str | None:
    """What is Knative's in the cluster can then be neither written nor deleted, until it is started again."""
    return "stopped" if knative.stop(place(machine)) else None


def _words(place: Place) -> str:
    return f"Kubernetes {build.KUBERNETES} on {place.server}, KUBECONFIG={place.kubeconfig}"


def _ready(place: Place, name: str) -> Path:
    return place.folder / name / "ready"


def _python() -> Path:
    try:
        return venvs.dev() / "python"
    except venvs.SetUpError as error:
        raise RigError(f"it needs the development environment: {error}") from None


def _code() -> str:
    """Another checkout's cluster may be another version, or have other settings."""
    return build.sources_key() + sources.digest(_HERE / name for name in _CLUSTER)


def _knative_code() -> str:
    return build.sources_key() + sources.digest([_HERE / "knative.py", _HERE / "crds.py"])
