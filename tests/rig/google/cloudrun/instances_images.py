"""Images on their way to the engine: by the reference that the revision names, as the platform's service agent would.

A registry for which there are credentials is asked at a revision's first start, whatever the engine has: an image that
was deleted, or that the service agent may not read any more, fails it as on the real service. Where there is none, or
it cannot be reached or does not know the credentials, what the engine has by that very reference is good enough.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from tests.rig.google.cloudrun import instances_registry
from tests.rig.shell import RigError

if TYPE_CHECKING:
    from docker import DockerClient

Auth = Callable[[str], Mapping[str, str] | None]
"""The host of a registry -> {"username", "password"} for it, or None to ask without."""

_MISSING = re.compile(r"not found|manifest unknown|name unknown|does not exist|no such image", re.IGNORECASE)
_DENIED = re.compile(r"unauthorized|denied|forbidden|no basic auth|authentication required", re.IGNORECASE)


class ImageMissing(Exception):
    """The registry has no such image."""


class ImageDenied(Exception):
    """The registry refuses to give it."""


def fetch(client: DockerClient, reference: str, auth: Auth | None = None, *, first: bool = True) -> str:
    """The engine's id of the image, pulled when it is not there. `first`: ask its registry in any case.

    Raises ImageMissing, ImageDenied, and RigError for everything that says nothing about the image (no route, no disk).
    """
    from docker.errors import APIError, ImageNotFound

    login = dict((auth and auth(reference.partition("/")[0])) or {}) or None
    if first and login:
        _resolve(reference, login)
    try:
        return _id(client, reference)
    except ImageNotFound:
        pass
    repository, tag = _split(reference)
    try:
        client.api.pull(repository, tag, auth_config=login)
        return _id(client, reference)
    except APIError as error:
        raise _meaning(str(error.explanation or error), reference) from error


def _resolve(reference: str, login: Mapping[str, str]) -> None:
    """Ask the registry for the image; what it says about the image counts, everything else is left to the pull."""
    repository, tag = _split(reference)
    host, _, path = repository.partition("/")
    found = instances_registry.look(host, path, tag, login)
    if found == "missing":
        raise ImageMissing(reference)
    if found == "denied":
        raise ImageDenied(reference)


def _id(client: DockerClient, reference: str) -> str:
    return str(client.images.get(reference).id)


def _meaning(said: str, reference: str) -> Exception:
    # "denied" first: Docker Hub and Artifact Registry say "does not exist or may require login: denied"
    if _DENIED.search(said):
        return ImageDenied(said)
    if _MISSING.search(said):
        return ImageMissing(said)
    return RigError(f"the engine cannot pull {reference}: {said}")


def _split(reference: str) -> tuple[str, str]:
    """Repository, and the tag or digest that the engine is to pull; `latest` when the reference has neither."""
    name, at, digest = reference.partition("@")
    last = name.rpartition("/")[2]
    if at:  # a digest beside a tag decides
        return (name[: -len(last)] + last.partition(":")[0], digest)
    repository, colon, tag = last.partition(":")
    return (name[: -len(last)] + repository, tag if colon else "latest")
