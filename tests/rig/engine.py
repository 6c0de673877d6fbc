"""The Docker engine with BuildKit: the user's own, or dockerd from Debian started by the rig."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from tests.rig import debian
from tests.rig.daemons import forget_dead, namesakes
from tests.rig.docker import engine_answers
from tests.rig.machine import Machine, elsewhere, is_root
from tests.rig.shell import RigError, attempt

OLDEST_ENGINE = 23
_OWN_PIDFILES = {
    "dockerd": Path("/var/run/docker.pid"),
    "containerd": Path("/var/run/docker/containerd/containerd.pid"),
}
_SUITE = f"/{debian.ENGINE_SUITE}"
_PACKAGES = (
    *("iptables", "docker-registry"),
    *(name + _SUITE for name in ("docker.io", "docker-cli", "docker-buildx", "docker-compose", "containerd")),
)


def look(machine: Machine) -> str | None:
    """What answers, and how; None when no engine does."""
    said = attempt(["docker", "info", "--format", "{{.ServerVersion}}\t{{.Driver}}\t{{json .DriverStatus}}"])
    fields = (said or "").split("\t")
    if len(fields) != 3 or not fields[0]:
        return None
    version, driver, details = fields
    store = f"{driver}, containerd store" if "io.containerd.snapshotter" in details else driver
    buildx = attempt(["docker", "buildx", "version"])
    if buildx is None:
        raise RigError("docker answers, but BuildKit's client is missing: install docker-buildx")
    whose = "" if not machine.users_engine else ", this machine's own"
    return f"dockerd {version} ({store}{whose}), buildx {_buildx_version(buildx)}"


def make(machine: Machine) -> str:
    """Install Debian's engine where it is missing, and start it."""
    if machine.users_engine:
        raise RigError("the engine of this machine stopped answering; start it again")
    if address := elsewhere():
        raise RigError(f"DOCKER_HOST is {address}, and no engine answers there: start that one, or unset DOCKER_HOST")
    if not is_root():
        raise RigError("no Docker engine answers, and making one needs root: start Docker, or use sudo")
    if others := namesakes("dockerd"):
        raise RigError(
            f"a dockerd runs here (process {others[0]}) but does not answer the docker command;"
            " a second one would cut its containers off: mend or stop that one first"
        )
    if not _installed():
        debian.install(_PACKAGES, machine.state / "apt")
    config = machine.state / "dockerd.json"
    config.write_text(json.dumps(settings(machine), indent=1))
    for name, pidfile in _OWN_PIDFILES.items():
        forget_dead(name, pidfile)  # dockerd believes the number in it, whoever has it now
    daemon = machine.dockerd
    daemon.start(["dockerd", "--config-file", config], engine_answers)
    return look(machine) or ""


def settings(machine: Machine) -> dict[str, object]:
    """The rig's registry is the engine's mirror, so that FROM and `docker pull` find the images there.

    Its data has a place of its own: an engine that the user has installed keeps its images and volumes.
    """
    return {
        "data-root": str(machine.state / "docker"),
        "registry-mirrors": [f"http://{machine.registry}"],
        "shutdown-timeout": 5,
    }


def stop(machine: Machine) -> str | None:
    """End the engine that the rig started; dockerd stops its containers itself."""
    return "stopped, with its containers" if machine.dockerd.stop(patience=60) else None


def _installed() -> bool:
    if any(shutil.which(tool) is None for tool in ("dockerd", "docker", "docker-registry", "iptables")):
        return False
    version = docker_version(attempt(["dockerd", "--version"]) or "")
    return version >= OLDEST_ENGINE and attempt(["docker", "buildx", "version"]) is not None


def docker_version(text: str) -> int:
    """The major number in `Docker version 26.1.5+dfsg1, build …`; 0 when there is none."""
    words = text.split()
    major = words[2].split(".")[0] if len(words) > 2 else ""
    return int(major) if major.isdigit() else 0


def _buildx_version(text: str) -> str:
    words = text.split()
    return words[1].split("+")[0] if len(words) > 1 else text
