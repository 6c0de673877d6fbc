"""A real buildkitd on a TCP port with TLS and client certificates, and on a Unix socket. Root on Linux.

It runs in mount and process namespaces of its own and ends when the test does, however that ends: its supervisor waits
for the end of a pipe. The network is the machine's; docker.io is the rig's registry, as it is for the rig's engine.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType

from tests.rig.buildkitd import build
from tests.rig.buildkitd.front import Certificates
from tests.rig.daemons import wait_until
from tests.rig.machine import is_root, survey
from tests.rig.shell import RigError, attempt

_SUPERVISOR = """
"$1" --config "$2" >"$3" 2>&1 &
cat >/dev/null
kill $! && wait
"""


class BuildKit:
    """A context manager, with an empty cache at every start."""

    def __init__(self, tls: Certificates) -> None:
        self._tls = tls
        self._port = 0
        self._folder: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """Such as "tcp://127.0.0.1:12345"; it wants a certificate of `tls`'s authority."""
        return f"tcp://127.0.0.1:{self._port}"

    @property
    def folder(self) -> Path:
        if self._folder is None:
            raise RigError("this buildkitd has not been started")
        return self._folder

    @property
    def unix_socket(self) -> Path:
        """Where buildctl reaches it without TLS."""
        return self.folder / "buildkitd.sock"

    def __enter__(self) -> BuildKit:
        machine = survey()
        if not is_root():
            raise RigError("a buildkitd of the rig needs root")
        programs = build.make(machine)
        runc = shutil.which("runc") or shutil.which("runc", path="/usr/sbin:/usr/local/sbin:/usr/bin")
        if runc is None:
            raise RigError("buildkitd needs runc: it comes with the rig's engine")
        self._folder = Path(tempfile.mkdtemp(prefix="buildkitd-", dir=machine.state))
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port = free.getsockname()[1]
        config, log = self._folder / "buildkitd.toml", self._folder / "log"
        config.write_text(self._config(machine.registry, runc))
        namespaces = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
        supervised = ["sh", "-c", _SUPERVISOR, "sh", str(programs / "buildkitd"), str(config), str(log)]
        self._process = subprocess.Popen([*namespaces, *supervised], stdin=subprocess.PIPE, start_new_session=True)
        ask: list[str | Path] = [programs / "buildctl", "--addr", f"unix://{self.unix_socket}", "debug", "workers"]
        try:
            if not wait_until(lambda: attempt(ask, timeout=5) is not None or self._ended(), patience=60):
                raise RigError(f"buildkitd does not answer: {log.read_text(errors='replace')[-500:]}")
            if self._ended():
                raise RigError(f"buildkitd ended at once: {log.read_text(errors='replace')[-500:]}")
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """End it, and remove its cache."""
        if self._process is not None:
            assert self._process.stdin is not None
            self._process.stdin.close()
            try:
                self._process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def _ended(self) -> bool:
        return self._process is None or self._process.poll() is not None

    def _config(self, registry: str, runc: str) -> str:
        """JSON's strings are TOML's."""
        cert, key = self._tls.server
        addresses = [self.address, f"unix://{self.unix_socket}"]
        return f"""\
root = {json.dumps(str(self.folder / "root"))}
[grpc]
address = {json.dumps(addresses)}
[grpc.tls]
cert = {json.dumps(str(cert))}
key = {json.dumps(str(key))}
ca = {json.dumps(str(self._tls.ca))}
[worker.containerd]
enabled = false
[worker.oci]
enabled = true
binary = {json.dumps(runc)}
networkMode = "host"
[registry."docker.io"]
mirrors = [{json.dumps(registry)}]
[registry.{json.dumps(registry)}]
http = true
"""
