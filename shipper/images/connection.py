"""Finding the Docker engine as the docker command does, and saying plainly when it cannot be used."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from shipper.errors import CredentialsError, ShipperError, UnreachableError, caused_by
from shipper.processes.ssh_failure import ssh_failure

if TYPE_CHECKING:
    from docker import DockerClient

TIMEOUT = 60
"""Seconds that one call of the engine's API may take; streams have none (they are followed with cancellation)."""


def open_client(docker_host: str | None = None, *, timeout: float | None = TIMEOUT) -> DockerClient:
    """A client of the engine at `docker_host`; without it of DOCKER_HOST, else of the current docker context.

    Asks the engine for its version. Raises UnreachableError (33), CredentialsError (32), UsageError (2).
    """
    from shipper.targets.docker_client import docker_client

    with engine_errors("the Docker engine cannot be used"):
        return docker_client(docker_host, timeout)


@contextmanager
def engine_errors(what: str, failure: type[ShipperError] = UnreachableError) -> Iterator[None]:
    """Turn what the docker SDK raises into ours: CredentialsError for a socket that may not be opened,
    UnreachableError when nothing answers, `failure` for anything that the engine itself refused."""
    import docker.errors
    import requests

    try:
        yield
    except docker.errors.APIError as error:
        raise failure(f"{what}: {_first_line(error.explanation or str(error))}") from error
    except (docker.errors.DockerException, requests.RequestException, OSError) as error:
        raise _not_reached(what, error) from error


def _not_reached(what: str, error: Exception) -> ShipperError:
    if (failure := ssh_failure(error)) is not None:
        kind = CredentialsError if failure.refused else UnreachableError
        return kind(f"{what}: {failure.message}", hint=failure.hint, cause=failure.kind)
    if caused_by(error, PermissionError):
        return CredentialsError(
            f"{what}: no permission to open its socket",
            hint="add your user to the group docker, or set DOCKER_HOST to an engine of your own",
        )
    if caused_by(error, (FileNotFoundError, ConnectionRefusedError)):
        return UnreachableError(f"{what}: it is not running", hint="start Docker, or set DOCKER_HOST to another engine")
    return UnreachableError(
        f"{what}: {_first_line(str(error))}", hint="does `docker info` work? check DOCKER_HOST and the docker context"
    )


def _first_line(text: object) -> str:
    lines = str(text).strip().splitlines() or ["it said nothing"]
    return lines[0][:200]
