"""The one HAProxy: a container of the rig's proxy image on this machine's own network, with empty slots for routes.

Every route is a backend of its own that is there from the start; hosts, servers and weights come at run time, so that
no change needs a reload. A request is sent to one server once: nothing here hides a pod that ends too early.
"""

from __future__ import annotations

import contextlib
import hashlib
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.rig.images import PROXY
from tests.rig.kubernetes.pods import engine_leftovers
from tests.rig.shell import RigError

if TYPE_CHECKING:
    from docker import DockerClient

SLOTS = 600
MAP = "/rig/hosts.map"

_CONFIG = """\
global
    stats socket ipv4@127.0.0.1:{admin} level admin
    maxconn 4096
defaults
    mode http
    option http-server-close
    retries 0
    timeout connect 5s
    timeout client 120s
    timeout server 120s
frontend edge
    bind 127.0.0.1:{edge}
    http-request set-var(txn.host) req.hdr(host),host_only,lower
    http-response set-header x-rig-pod %[srv_name,field(1,:)] if {{ srv_name -m found }}
    http-response set-header x-rig-service %[srv_name,field(3,:)] if {{ srv_name -m found }}
    use_backend %[var(txn.host),map({map})] if {{ var(txn.host),map({map}) -m found }}
    default_backend nowhere
backend nowhere
    http-request return status 404 content-type text/plain lf-string "no route for %[var(txn.host)]\\n"
"""


class HAProxy:
    """`ask` sends one line of its command language. Ends with `close`."""

    def __init__(self, client: DockerClient, folder: Path, edge: int) -> None:
        digest = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:16]
        self._client, self._name = client, f"shipper-rig-router-{digest}"
        engine_leftovers.clear(client)
        self._admin = _free_port()
        (folder / "hosts.map").write_text("")
        slots = "".join(f"backend {slot(number)}\n    balance roundrobin\n" for number in range(SLOTS))
        (folder / "haproxy.cfg").write_text(_CONFIG.format(admin=self._admin, edge=edge, map=MAP) + slots)
        self._start(folder.resolve())

    def ask(self, *commands: str) -> str:
        """The answer to some commands at once. RigError when nobody answers."""
        try:
            with socket.create_connection(("127.0.0.1", self._admin), timeout=10) as connection:
                connection.sendall(("; ".join(commands) + "\n").encode())
                return b"".join(iter(lambda: connection.recv(65536), b"")).decode()
        except OSError as error:
            raise RigError(f"the router's HAProxy does not answer: {error}") from error

    def close(self) -> None:
        from docker.errors import APIError

        with contextlib.suppress(APIError):  # it is gone already
            self._client.api.remove_container(self._name, force=True)

    def _start(self, folder: Path) -> None:
        self.close()
        self._client.containers.run(
            PROXY,
            ["haproxy", "-W", "-db", "-f", "/rig/haproxy.cfg"],
            name=self._name,
            detach=True,
            user="0",
            network_mode="host",
            volumes={str(folder): {"bind": "/rig", "mode": "ro"}},
            labels={engine_leftovers.STATE: str(folder)},
        )
        deadline = time.monotonic() + 30
        while True:
            try:
                self.ask("show version")
                return
            except RigError:
                container = self._client.containers.get(self._name)
                if time.monotonic() > deadline or container.status == "exited":
                    said = container.logs(tail=5).decode("utf-8", "replace").strip()
                    raise RigError(f"HAProxy does not start: {said}") from None
                time.sleep(0.05)


def slot(number: int) -> str:
    return f"route-{number}"


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port
