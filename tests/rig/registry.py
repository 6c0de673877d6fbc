"""An OCI registry on loopback: Debian's docker-registry, or registry:2 as a container of the user's engine."""

from __future__ import annotations

import json
import shutil

from tests.rig import debian
from tests.rig.daemons import wait_until
from tests.rig.docker import docker, pull, registry_answers
from tests.rig.machine import Machine
from tests.rig.shell import RigError, attempt

_CONTAINER = "shipper-rig-registry"
_IMAGE = "registry:2"


def look(machine: Machine) -> str | None:
    """Where it answers; None when nothing does."""
    return machine.registry if registry_answers(machine) else None


def make(machine: Machine) -> str:
    """Start one that keeps its data in the rig's state, or in its container beside the user's engine."""
    if machine.users_engine:
        return _make_container(machine)
    if shutil.which("docker-registry") is None:
        debian.install(["docker-registry"], machine.state / "apt")
    config = machine.state / "registry.json"
    config.write_text(json.dumps(settings(machine), indent=1))
    machine.docker_registry.start(["docker-registry", "serve", config], lambda: registry_answers(machine))
    return machine.registry


def settings(machine: Machine) -> dict[str, object]:
    """The registry's configuration; it reads YAML, and JSON is YAML."""
    return {
        "version": "0.1",
        "log": {"level": "warn"},
        "storage": {
            "filesystem": {"rootdirectory": str(machine.state / "registry")},
            "delete": {"enabled": True},
        },
        "http": {"addr": machine.registry},
    }


def stop(machine: Machine) -> str | None:
    """End the registry that the rig started."""
    if machine.docker_registry.stop():
        return "stopped"
    if machine.users_engine and attempt(["docker", "inspect", _CONTAINER]) is not None:
        docker("rm", "--force", "--volumes", _CONTAINER)
        return "container removed"
    return None


def _make_container(machine: Machine) -> str:
    pull(_IMAGE)
    attempt(["docker", "rm", "--force", _CONTAINER])
    published = f"{machine.registry}:5000"
    delete = "REGISTRY_STORAGE_DELETE_ENABLED=true"
    docker("run", "--detach", "--name", _CONTAINER, "--publish", published, "--env", delete, _IMAGE)
    if not wait_until(lambda: registry_answers(machine), patience=30):
        raise RigError(f"the registry does not answer; see `docker logs {_CONTAINER}`")
    return f"{machine.registry} (container {_CONTAINER})"
