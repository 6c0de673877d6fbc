"""A second Docker engine that is reached over ssh: as on another machine, with the network between.

The engine is an IsolatedEngine on a cable. An ssh server with keys of its own runs beside it; its user has DOCKER_HOST
set. The client's configuration is in a folder of the test: OpenSSH takes its home from the user database and not from
HOME, so an `ssh` that comes first on PATH names that configuration. A registry with the same name on both sides
(127.0.0.1 and a port) is two processes on one storage.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

from tests.rig import debian, ssh_network
from tests.rig.daemons import wait_until
from tests.rig.images import BASE, PROXY
from tests.rig.isolated import IsolatedEngine, Store
from tests.rig.machine import survey
from tests.rig.shell import RigError, attempt, run

PORT = 2222
USER = "root"

_SERVER = """\
Port {port}
ListenAddress {address}
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/authorized_keys
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
SetEnv DOCKER_HOST={docker_host}
{more}
"""
_CLIENT = """\
Host engine
  HostName {address}
  Port {port}
  User {user}
Host *
  IdentityFile {folder}/user_key
  IdentitiesOnly yes
  UserKnownHostsFile {folder}/known_hosts
  GlobalKnownHostsFile /dev/null
"""


class SshEngine:
    """An engine at the other end of ssh, as a context manager.

    `url` is its address; `env()` has what a command needs to reach it, and `ask` asks what it publishes.
    """

    def __init__(self, store: Store = "overlay2", folder: Path | None = None) -> None:
        self.engine = IsolatedEngine(store)
        self._given = folder
        self._cable: ssh_network.Cable | None = None
        self._children: list[subprocess.Popen[bytes]] = []
        self._registries: list[subprocess.Popen[bytes]] = []
        self.registry = ""

    @property
    def folder(self) -> Path:
        """Keys, configuration and the client's `bin`."""
        if self._given is None:
            raise RigError("this engine has not been started")
        return self._given

    @property
    def address(self) -> str:
        """Of its end of the cable: what it publishes on every address answers there."""
        if self._cable is None:
            raise RigError("this engine has not been started")
        return self._cable.there

    @property
    def url(self) -> str:
        """Such as "ssh://root@10.217.0.2:2222"."""
        return f"ssh://{USER}@{self.address}:{PORT}"

    def env(self) -> Mapping[str, str]:
        """The environment in which `ssh` knows the host and has the key, for every program that starts it."""
        return {"PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}", "HOME": str(self.folder / "home")}

    def docker(self, *words: str) -> str:
        """Ask this engine, beside shipper."""
        done = self.engine.run(["docker", *words])
        if done.returncode != 0:
            raise RigError(f"docker {' '.join(words[:2])}: {done.stderr.strip()}")
        return done.stdout.strip()

    def ask(self, url: str, host: str | None = None) -> tuple[int, Mapping[str, str], str]:
        """GET from the other end."""
        return self.engine.ask(url, host)

    def start(self, images: Sequence[str] = (BASE, PROXY)) -> None:
        """Engine, cable, ssh server and client."""
        if shutil.which("sshd") is None and not Path("/usr/sbin/sshd").exists():
            debian.install(["openssh-server"], survey().state / "apt")
        self.engine.start(images)
        process = self.engine.first_process
        self._cable = ssh_network.lay(process)
        if self._given is None:
            self._given = Path(self.engine.docker_host.removeprefix("unix://")).parent / "ssh"
        self._make_keys()
        self.serve()

    def serve(self, more: str = "") -> None:
        """Start the ssh server, instead of the one that runs, with more lines of configuration."""
        self._end_children()
        config = self.folder / "sshd_config"
        lines = {"port": PORT, "address": self.address, "folder": self.folder, "more": more}
        config.write_text(_SERVER.format(docker_host=self.engine.docker_host, **lines))
        server = f"mkdir -p /run/sshd && exec /usr/sbin/sshd -D -E {self.folder}/sshd.log -f {config}"
        self._children.append(self._inside(["sh", "-c", server]))
        if not wait_until(self._listens, patience=20):
            log = self.folder / "sshd.log"
            raise RigError(f"the ssh server does not answer: {log.read_text()[-500:] if log.exists() else ''}")

    def share_registry(self) -> str:
        """A registry that has this name on this machine and on the engine's: pushed here, pulled there."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.registry = f"127.0.0.1:{port}"
        settings = {
            "version": "0.1",
            "log": {"level": "warn"},
            "storage": {"filesystem": {"rootdirectory": str(self.folder / "registry")}},
            "http": {"addr": self.registry},
        }
        config = self.folder / "registry.json"
        config.write_text(json.dumps(settings))
        serve = ["docker-registry", "serve", str(config)]
        self._registries = [self._child(serve), self._inside(serve)]
        look = "import socket,sys; socket.create_connection(('127.0.0.1', int(sys.argv[1])), 1)"

        def answers() -> bool:
            here = subprocess.run([sys.executable, "-c", look, str(port)], capture_output=True, timeout=10)
            there = self.engine.run([sys.executable, "-c", look, str(port)], timeout=10)
            return here.returncode == there.returncode == 0

        if not wait_until(answers, patience=20):
            raise RigError("the shared registry does not answer")
        return self.registry

    def stop(self) -> None:
        """End and remove everything."""
        for child in [*self._children, *self._registries]:
            _end(child)
        self._children, self._registries = [], []
        if self.registry:
            named = attempt(["docker", "images", "--format", "{{.Repository}}:{{.Tag}}"]) or ""
            for name in (name for name in named.splitlines() if name.startswith(f"{self.registry}/")):
                attempt(["docker", "rmi", name])
        if self._cable is not None:
            self._cable.remove()
            self._cable = None
        self.engine.stop()

    def __enter__(self) -> SshEngine:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def _make_keys(self) -> None:
        folder = self.folder
        (folder / "bin").mkdir(parents=True, exist_ok=True)
        (folder / "home" / ".ssh").mkdir(parents=True, exist_ok=True)
        for name in ("host_key", "user_key", "other_key"):
            run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "rig", "-f", folder / name])
        shutil.copy(folder / "user_key.pub", folder / "authorized_keys")
        self.trust()
        config = folder / "home" / ".ssh" / "config"
        config.write_text(_CLIENT.format(address=self.address, port=PORT, user=USER, folder=folder))
        client = folder / "bin" / "ssh"
        client.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F "{config}" "$@"\n')
        client.chmod(0o755)

    def trust(self, key: str = "host_key") -> None:
        """The host key that the client knows for this host."""
        kind, blob, _ = (self.folder / f"{key}.pub").read_text().split()
        line = f"[{self.address}]:{PORT} {kind} {blob}\n"
        for place in (self.folder / "known_hosts", self.folder / "home" / ".ssh" / "known_hosts"):
            place.write_text(line)

    def _listens(self) -> bool:
        try:
            with socket.create_connection((self.address, PORT), 1) as made:
                return made.recv(4) == b"SSH-"
        except OSError:
            return False

    def _inside(self, argv: Sequence[str]) -> subprocess.Popen[bytes]:
        return self._child(self.engine.inside(argv, self.folder))

    def _child(self, argv: Sequence[str]) -> subprocess.Popen[bytes]:
        quiet = subprocess.DEVNULL
        return subprocess.Popen(argv, stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True)

    def _end_children(self) -> None:
        for child in self._children:
            _end(child)
        self._children = []


def _end(child: subprocess.Popen[bytes]) -> None:
    """End a child by its id, and its session with it."""
    if child.poll() is None:
        os.killpg(child.pid, 15)
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, 9)
            child.wait()
