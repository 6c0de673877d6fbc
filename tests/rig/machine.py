"""What the rig knows about the machine before it starts: where its state is, who it runs as, whose engine answers."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from tests.rig import daemons
from tests.rig.shell import RigError, attempt

_DEFAULT_SOCKET = "unix:///var/run/docker.sock"


@dataclass(frozen=True)
class Machine:
    """The facts every part starts from."""

    state: Path
    registry_port: int
    users_engine: bool
    """An engine answers that the rig did not start: use it as it is, ask for no root, stop nothing."""

    @property
    def registry(self) -> str:
        """The registry's address, as it stands in front of an image's name."""
        return f"127.0.0.1:{self.registry_port}"

    @property
    def dockerd(self) -> daemons.Daemon:
        """The engine that the rig starts, when it starts one."""
        return daemons.Daemon("dockerd", self.state / "dockerd.pid", self.state / "dockerd.log")

    @property
    def docker_registry(self) -> daemons.Daemon:
        """The registry process that the rig starts beside an engine of its own."""
        return daemons.Daemon("docker-registry", self.state / "registry.pid", self.state / "registry.log")


def survey() -> Machine:
    """Look at this machine without changing anything on it."""
    state = state_dir()
    machine = Machine(state=state, registry_port=_port(), users_engine=False)
    if machine.dockerd.pid() is not None and not elsewhere():
        return machine
    return replace(machine, users_engine=attempt(["docker", "version"]) is not None)


def state_dir() -> Path:
    """The folder with everything the rig keeps: SHIPPER_RIG_DIR, or a place that fits the user."""
    if chosen := os.environ.get("SHIPPER_RIG_DIR"):
        return Path(chosen).absolute()
    if is_root():
        return Path("/var/lib/shipper-rig")
    home = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(home) / "shipper-rig"


def elsewhere() -> str | None:
    """The address that DOCKER_HOST sends the docker command to, when that is not its own default."""
    return os.environ.get("DOCKER_HOST") if os.environ.get("DOCKER_HOST") not in ("", _DEFAULT_SOCKET) else None


def is_root() -> bool:
    """Whether the rig may install packages and start daemons."""
    return os.geteuid() == 0


@contextmanager
def alone(state: Path) -> Iterator[None]:
    """Let one set-up at a time pass; daemons do not inherit the lock (Python opens files close-on-exec)."""
    state.mkdir(parents=True, exist_ok=True)
    with (state / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _port() -> int:
    text = os.environ.get("SHIPPER_RIG_REGISTRY_PORT", "5000")
    if not text.isdigit():
        raise RigError(f"SHIPPER_RIG_REGISTRY_PORT is {text!r}: give a port number")
    return int(text)
