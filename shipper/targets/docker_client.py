"""A client of the Docker engine that the docker command would use, or of a given one; over ssh where it is there."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from shipper.errors import UsageError
from shipper.processes import ssh
from shipper.processes.ssh_failure import ssh_failure
from shipper.processes.ssh_host import SCHEME, ssh_host

if TYPE_CHECKING:
    from docker import DockerClient

__all__ = ["docker_client", "is_local", "line_of", "machine_of", "ssh_failure"]

_LOCAL = ("http+docker://localhost", "http+docker://localunixsocket", "http+docker://localnpipe")


def docker_client(host: str | None, timeout: float | None) -> DockerClient:
    """A client of the engine at `host`; without it of DOCKER_HOST, else of the current docker context.

    Asks the engine for its version. `timeout` is for one call of its API, in seconds. Raises what the docker SDK
    raises, with an SshFailed at the bottom of it (ssh_failure finds it) for an engine over ssh; UsageError for an
    ssh:// address that is none, for a context that does not exist, and when nothing here speaks ssh.
    """
    import docker

    address = host or os.environ.get("DOCKER_HOST")
    context = None if address else _context()
    if context is not None and str(context.Host).startswith(SCHEME):
        address = str(context.Host)
    if address is not None and address.startswith(SCHEME):
        return _over_ssh(address, timeout)
    seconds: Any = timeout  # the stubs know no None, the SDK does
    if context is not None:
        return docker.DockerClient(base_url=context.Host, tls=context.TLSConfig or False, timeout=seconds)
    if host not in (None, os.environ.get("DOCKER_HOST")):
        return docker.DockerClient(base_url=host, timeout=seconds)
    return docker.from_env(timeout=seconds)


def is_local(client: DockerClient) -> bool:
    """Whether the engine runs on this machine, as far as its address says."""
    return str(client.api.base_url).startswith(_LOCAL)


def machine_of(client: DockerClient) -> str | None:
    """The machine that the engine runs on, by a name or number that other programs find it by; None for this one."""
    if is_local(client):
        return None
    if (line := line_of(client)) is not None:
        return line.address
    named: str | None = getattr(client.api, "machine", None) or urlsplit(str(client.api.base_url)).hostname
    return named


def line_of(client: DockerClient) -> ssh.SshLine | None:
    """The line that this client's calls go over; None when they do not go through an ssh client."""
    line: ssh.SshLine | None = getattr(client.api, "line", None)
    return line


def _over_ssh(address: str, timeout: float | None) -> DockerClient:
    from shipper.targets.docker_over_ssh import LibraryApi, LineApi

    host = ssh_host(address)
    if ssh.is_there():
        return _client(LineApi(ssh.line_to(host), timeout))
    try:
        import paramiko  # noqa: F401 - only whether it is there
    except ImportError as error:
        raise UsageError(
            f"{host} cannot be reached: this machine has no ssh client",
            hint='install OpenSSH\'s; or, in a checkout of shipper: pip install ".[ssh]"',
        ) from error
    return _client(LibraryApi(address, host, timeout))


def _client(api: Any) -> DockerClient:
    """The SDK's client around an API client of ours: its constructor knows only its own."""
    from docker import DockerClient

    made = DockerClient.__new__(DockerClient)
    made.api = api
    return made


def _context() -> Any:
    """The docker context that the docker command would use; None for the default one."""
    from docker.context import ContextAPI
    from docker.context.config import get_current_context_name

    name = os.environ.get("DOCKER_CONTEXT") or get_current_context_name()
    if name in ("", "default"):
        return None
    context = ContextAPI.get_context(name)
    if context is None:
        raise UsageError(f'the docker context "{name}" does not exist', hint="docker context ls shows those that do")
    return context
