"""Who has the host's port: our own proxy, another container, or a process of this machine."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shipper.model import Problem
from shipper.targets import NotFound
from shipper_targets.docker.engine import is_local, translated
from shipper_targets.docker.settings import DockerSettings

if TYPE_CHECKING:
    from docker import DockerClient

EVERYWHERE = ("0.0.0.0", "::", "")  # noqa: S104 - compared, not bound
_LISTEN = "0A"  # TCP_LISTEN in include/net/tcp_states.h


def problems_with_port(client: DockerClient, own: DockerSettings) -> Iterator[Problem]:
    """At most one: the proxy publishes elsewhere, or somebody else has the port."""
    proxy = f"{own.namespace}-proxy"
    with contextlib.suppress(NotFound), translated("look for the proxy"):
        record = client.api.inspect_container(proxy)
        published = _published(record)
        if (own.bind, own.port) not in published:
            yield _moved(proxy, published)
            return
        if record["State"]["Running"]:
            return
    with translated("list the containers"):
        records = client.api.containers()
    for record in records:
        if any(_same(own, port) for port in record.get("Ports") or []):
            yield _taken(own, f"the container {record['Names'][0].lstrip('/')}")
            return
    if is_local(client) and _answers(own):
        yield _taken(own, listening_process(own.port) or "a process of this machine")


def listening_process(port: int, proc: Path = Path("/proc")) -> str:
    """Such as "nginx (process 4242)"; empty when it cannot be told: another user's processes are not shown to us."""
    sockets = {f"socket:[{inode}]" for table in ("tcp", "tcp6") for inode in _inodes(proc / "net" / table, port)}
    for process in proc.glob("[0-9]*") if sockets else ():
        with contextlib.suppress(OSError):
            if any(_points_at(handle) in sockets for handle in (process / "fd").iterdir()):
                return f"{(process / 'comm').read_text().strip()} (process {process.name})"
    return ""


def _points_at(handle: Path) -> str:
    with contextlib.suppress(FileNotFoundError):  # closed since it was listed
        return str(handle.readlink())
    return ""


def _inodes(table: Path, port: int) -> Iterator[str]:
    with contextlib.suppress(OSError):
        for line in table.read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == _LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
                yield fields[9]


def _published(record: dict[str, Any]) -> set[tuple[str, int]]:
    bindings = (record["HostConfig"].get("PortBindings") or {}).values()
    return {(host["HostIp"], int(host["HostPort"])) for hosts in bindings for host in hosts or ()}


def _same(own: DockerSettings, port: dict[str, Any]) -> bool:
    """Whether this published port is in the way of ours."""
    address = port.get("IP", "")
    return port.get("PublicPort") == own.port and (
        address == own.bind or address in EVERYWHERE or own.bind in EVERYWHERE
    )


def _answers(own: DockerSettings) -> bool:
    address = "127.0.0.1" if own.bind in EVERYWHERE else own.bind
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex((address, own.port)) == 0


def _moved(proxy: str, published: set[tuple[str, int]]) -> Problem:
    found = ", ".join(sorted(f"{address}:{port}" for address, port in published)) or "nothing"
    return Problem(
        code=2,
        key="targets.port",
        message=f"the host's proxy {proxy} publishes {found}: one host has one address",
        hint=f"set bind and port to that; or docker rm -f {proxy}: the next release makes it anew, where you say",
    )


def _taken(own: DockerSettings, by: str) -> Problem:
    return Problem(
        code=2,
        key="targets.port",
        message=f"port {own.port} of the host is taken by {by}",
        hint="stop it, or set another port for this target",
    )
