"""The rig's part: Cloud Run and the APIs beside it, as one process on loopback. Standard library only."""

from __future__ import annotations

import os
from pathlib import Path

from tests.rig.daemons import Daemon
from tests.rig.google import sources
from tests.rig.google.artifacts import part as artifacts
from tests.rig.google.handle import GoogleRig
from tests.rig.machine import Machine
from tests.rig.shell import RigError
from tools import venvs

_HERE = Path(__file__).parent
_ROOT = _HERE.parents[2]


def url() -> str:
    """For `endpoint = …`: gRPC and REST alike."""
    return f"http://127.0.0.1:{_port()}"


def look(machine: Machine) -> str | None:
    """Where it answers, when it runs today's code; None otherwise."""
    return url() if _running(machine) == _code() else None


def make(machine: Machine) -> str:
    """Start it. What an older one ran is forgotten: its state is in its memory."""
    _daemon(machine).stop()
    folder = artifacts.folder(machine)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        python = venvs.dev() / "python"
    except venvs.SetUpError as error:
        raise RigError(f"it needs the development environment: {error}") from None
    words: list[str | Path] = ["-m", "tests.rig.google", "--port", str(_port()), "--state", folder]
    _daemon(machine).start(["env", f"PYTHONPATH={_ROOT}", python, *words], GoogleRig(url()).answers, patience=60)
    _mark(machine).write_text(_code())
    return url()


def stop(machine: Machine) -> str | None:
    """End it, with every container that it ran."""
    return "stopped, with its instances" if _daemon(machine).stop() else None


def _running(machine: Machine) -> str:
    if _daemon(machine).pid() is None or not GoogleRig(url()).answers():
        return ""
    return _mark(machine).read_text() if _mark(machine).exists() else ""


def _mark(machine: Machine) -> Path:
    return artifacts.folder(machine) / "cloudrun.code"


def _daemon(machine: Machine) -> Daemon:
    state = artifacts.folder(machine)
    return Daemon("python", state / "cloudrun.pid", state / "cloudrun.log")


def _code() -> str:
    """What runs is this checkout's: another one's imitation may know other rules."""
    return sources.digest(_HERE.rglob("*.py"))


def _port() -> int:
    text = os.environ.get("SHIPPER_RIG_GOOGLE_PORT", "8085")
    if not text.isdigit():
        raise RigError(f"SHIPPER_RIG_GOOGLE_PORT is {text!r}: give a port number")
    return int(text)
