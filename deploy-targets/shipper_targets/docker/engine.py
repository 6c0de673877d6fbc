"""The engine: connecting as the docker command does, and its errors as ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from shipper.targets import Denied, Invalid, NotFound, PlatformError, Transient, caused_by
from shipper.targets.docker_client import docker_client, is_local, machine_of, ssh_failure

if TYPE_CHECKING:
    from docker import DockerClient

__all__ = ["TIMEOUT", "connect", "first_line", "is_gone", "is_local", "machine_of", "translated"]

TIMEOUT = 120
"""Seconds that one call of the engine's API may take; stopping a container takes its grace on top."""


def connect(host: str | None) -> DockerClient:
    """A client of the engine at `host`; without it of DOCKER_HOST, else of the current docker context.

    Raises Transient when it does not answer; Denied when its socket may not be opened, or its machine does not let
    us in or is not the one that is known; UsageError when the address is none.
    """
    with translated("the Docker engine cannot be used"):
        return docker_client(host, TIMEOUT)


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
        if (failure := ssh_failure(error)) is not None:
            kind = Denied if failure.refused else Transient
            raise kind(f"{doing}: {failure.message} ({failure.hint})") from error
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


def is_gone(doing: str, remove: Callable[[], object]) -> bool:
    """Whether it is gone after `remove`: what is gone already is, and what the engine refuses, being in use, is not."""
    try:
        with translated(doing):
            remove()
    except NotFound:
        return True
    except Invalid:
        return False
    return True


def first_line(text: object) -> str:
    """The first line of what somebody said, cut to 300 characters."""
    lines = str(text).strip().splitlines() or ["it said nothing"]
    return lines[0][:300]
