"""The engine: connecting as the docker command does, and its errors as ours."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from shipper.targets import Denied, Invalid, NotFound, PlatformError, Transient, caused_by

if TYPE_CHECKING:
    from docker import DockerClient

TIMEOUT = 120
"""Seconds that one call of the engine's API may take; stopping a container takes its grace on top."""


_LOCAL = ("http+docker://localhost", "http+docker://localunixsocket", "http+docker://localnpipe")


def connect(host: str | None) -> DockerClient:
    """A client of the engine at `host`; without it of DOCKER_HOST, else of the current docker context.

    Raises Transient when it does not answer, Denied when its socket may not be opened.
    """
    import docker

    with translated("the Docker engine cannot be used"):
        if host is not None:
            return docker.DockerClient(base_url=host, timeout=TIMEOUT, use_ssh_client=True)
        context = None if os.environ.get("DOCKER_HOST") else _context()
        if context is None:
            return docker.from_env(timeout=TIMEOUT, use_ssh_client=True)
        return docker.DockerClient(
            base_url=context.Host, tls=context.TLSConfig or False, timeout=TIMEOUT, use_ssh_client=True
        )


def is_local(client: DockerClient) -> bool:
    """Whether the engine runs on this machine, as far as its address says."""
    return str(client.api.base_url).startswith(_LOCAL)


def _context() -> Any:
    """The docker context that the docker command would use; None for the default one."""
    from docker.context import ContextAPI
    from docker.context.config import get_current_context_name

    name = os.environ.get("DOCKER_CONTEXT") or get_current_context_name()
    if name in ("", "default"):
        return None
    context = ContextAPI.get_context(name)
    if context is None:
        raise Invalid(f'the docker context "{name}" does not exist')
    return context


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Errors of the docker SDK as PlatformError: Denied, NotFound, Invalid (the engine refuses) or Transient."""
    import requests
    import urllib3.exceptions

    import docker.errors

    try:
        yield
    except docker.errors.APIError as error:
        raise _refused(doing, error) from error
    except (docker.errors.DockerException, requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
        if caused_by(error, PermissionError):
            raise Denied(f"{doing}: no permission to open the engine's socket") from error
        raise Transient(f"{doing}: {first_line(error)}") from error


def _refused(doing: str, error: Any) -> PlatformError:
    words = f"{doing}: {first_line(error.explanation or error)}"
    status = error.status_code
    if status == 404:
        return NotFound(words)
    if "active endpoints" in words:  # 403, but it is no question of permission: a network that is in use
        return Invalid(words)
    if status in (401, 403) or "denied" in words:
        return Denied(words)
    if status in (408, 429, 502, 503, 504):
        return Transient(words)
    return Invalid(words)


def first_line(text: object) -> str:
    """The first line of what somebody said, cut to 300 characters."""
    lines = str(text).strip().splitlines() or ["it said nothing"]
    return lines[0][:300]
