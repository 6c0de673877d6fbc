"""The rig's part: a registry, the front before it, names in /etc/hosts, and the engine's trust. Standard library only.

Needs root: two low ports, /etc/hosts and /etc/docker/certs.d. The engine reads the latter at every push and needs no
restart.
"""

from __future__ import annotations

import json
import shutil
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from tests.rig import debian
from tests.rig.daemons import Daemon
from tests.rig.google.artifacts import hosts
from tests.rig.google.artifacts.names import ADDRESS, BASE_URL, HOSTS, LOCATIONS, REGISTRY, VERSION_PATH, version
from tests.rig.machine import Machine, is_root
from tests.rig.shell import RigError
from tools import venvs

_ROOT = Path(__file__).parents[4]
_CERTIFICATES = Path("/etc/docker/certs.d")


def folder(machine: Machine) -> Path:
    """Where its state is: certificates, identity, repositories."""
    return machine.state / "google"


def identity_folder(machine: Machine) -> Path:
    """What to give to tests.rig.google.identity.Identity, in tests and in other processes."""
    return folder(machine) / "identity"


def look(machine: Machine) -> str | None:
    """Where it answers, when all of it is there and runs today's code; None otherwise. Needs no root."""
    if _ask(f"{BASE_URL}{VERSION_PATH}") != version() or _ask(f"http://{REGISTRY}/v2/") is None:
        return None
    trusted = all(_trusted(host).exists() for host in _registries())
    if not trusted or not hosts.are_there(ADDRESS, HOSTS):
        return None
    return f"{', '.join(HOSTS)} on {ADDRESS}"


def make(machine: Machine) -> str:
    """Start what does not run, and make this machine find and trust it."""
    if not is_root():
        raise RigError("Artifact Registry's names, ports and certificates need root: use sudo")
    folder(machine).mkdir(parents=True, exist_ok=True)
    _start_registry(machine)
    _start_front(machine)
    for host in _registries():
        _trusted(host).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(folder(machine) / "tls" / "ca.pem", _trusted(host))
    hosts.put(ADDRESS, HOSTS)
    return look(machine) or ""


def stop(machine: Machine) -> str | None:
    """End it, and take its names and its certificates out of this machine."""
    stopped = [_front(machine).stop(), _registry(machine).stop()]
    if is_root() and _ours(machine):  # another rig's names and certificates are not for us to remove
        stopped.append(hosts.remove())
        for host in _registries():
            shutil.rmtree(_trusted(host).parent, ignore_errors=True)
    return "stopped, its names and certificates removed" if any(stopped) else None


def env(machine: Machine) -> Mapping[str, str]:
    """What makes a process trust it, and ask it directly: nothing that a user of Google Cloud would not set."""
    bundle = str(folder(machine) / "tls" / "bundle.pem")
    direct = ",".join(["localhost", "127.0.0.1", ADDRESS, *HOSTS])
    return {"REQUESTS_CA_BUNDLE": bundle, "SSL_CERT_FILE": bundle, "NO_PROXY": direct, "no_proxy": direct}


def _ours(machine: Machine) -> bool:
    """Whether what the engine trusts was made by this rig."""
    authority = folder(machine) / "tls" / "ca.pem"
    trusted = [_trusted(host) for host in _registries()]
    return authority.exists() and any(
        found.exists() and found.read_bytes() == authority.read_bytes() for found in trusted
    )


def _registries() -> list[str]:
    return [f"{location}-docker.pkg.dev" for location in LOCATIONS]


def _trusted(host: str) -> Path:
    return _CERTIFICATES / host / "ca.crt"


def _registry(machine: Machine) -> Daemon:
    state = folder(machine)
    return Daemon("docker-registry", state / "registry.pid", state / "registry.log")


def _front(machine: Machine) -> Daemon:
    return Daemon("python", folder(machine) / "front.pid", folder(machine) / "front.log")


def _start_registry(machine: Machine) -> None:
    if _ask(f"http://{REGISTRY}/v2/") is not None:
        return
    if shutil.which("docker-registry") is None:
        debian.install(["docker-registry"], machine.state / "apt")
    config = folder(machine) / "registry.json"
    settings = {
        "version": "0.1",
        "log": {"level": "warn"},
        "storage": {
            "filesystem": {"rootdirectory": str(folder(machine) / "registry")},
            "delete": {"enabled": True},
        },
        "http": {"addr": REGISTRY, "relativeurls": True},
    }
    config.write_text(json.dumps(settings, indent=1))
    _registry(machine).start(["docker-registry", "serve", config], lambda: _ask(f"http://{REGISTRY}/v2/") is not None)


def _start_front(machine: Machine) -> None:
    running = _ask(f"{BASE_URL}{VERSION_PATH}")
    if running == version():
        return
    _front(machine).stop()
    try:
        python = venvs.dev() / "python"
    except venvs.SetUpError as error:
        raise RigError(f"its front needs the development environment: {error}") from None
    command: list[str | Path] = [
        "env",
        f"PYTHONPATH={_ROOT}",
        python,
        "-m",
        "tests.rig.google.artifacts",
        "--state",
        folder(machine),
    ]
    _front(machine).start(command, lambda: _ask(f"{BASE_URL}{VERSION_PATH}") == version())


def _ask(url: str) -> str | None:
    """The body of an answer, straight and not through a proxy; None without one."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=5) as answer:
            return str(answer.read().decode())
    except (urllib.error.HTTPError, OSError):
        return None
