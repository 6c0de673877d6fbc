"""The names that images have on the engine before they are published, and clearing away the old ones."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from shipper.images.connection import engine_errors

if TYPE_CHECKING:
    from docker import DockerClient

HOST = "shipper.local"
"""Looks like a registry, so that the engine never asks a real one for it; no such registry exists."""

HOST_LABEL = "shipper.host"
"""On the volume in which the docker target keeps the state of its services."""

KEEP = 5
ABANDONED_AFTER = 86400.0
"""Seconds: no build takes so long (`image.timeout` ends it), so a name made for one is left over from a crash."""

_BUILDING = "building-"


def repository_of(service: str) -> str:
    """`shipper.local/<service>`."""
    return f"{HOST}/{service}"


def reference_of(service: str, config_digest: str) -> str:
    """The name of a built image: its service and the first 32 hexadecimal digits of its config digest."""
    return f"{repository_of(service)}:{config_digest.removeprefix('sha256:')[:32]}"


def building_reference(service: str) -> str:
    """A name for the time of one build; it holds the time, so that one left by a crash can be known."""
    return f"{repository_of(service)}:{_BUILDING}{int(time.time())}-{uuid.uuid4().hex[:12]}"


def drop(client: DockerClient, reference: str) -> None:
    """Take one name away; the bytes go too when it was the last. One that is not there, or that a container runs
    from, is left alone."""
    import docker.errors

    with engine_errors(f"{reference} cannot be removed from the engine"):
        try:
            client.images.remove(reference)
        except docker.errors.ImageNotFound:
            return
        except docker.errors.APIError as error:
            if error.status_code != 409:
                raise


def prune(client: DockerClient, service: str, *, keep: int = KEEP, repository: str | None = None) -> tuple[str, ...]:
    """Remove the images of `service` but the `keep` newest and those that any container (stopped ones too) uses.

    Only our own names go: `shipper.local/<service>`'s, and `repository`'s of the same bytes. An image that somebody
    gave a name of their own keeps that. Returns the names that were removed.
    """
    ours = tuple(f"{name}{sign}" for sign in ":@" for name in (repository_of(service), repository) if name)
    with engine_errors("the engine's images cannot be listed"):
        used = {container["ImageID"] for container in client.api.containers(all=True)}
        listed = client.api.images()  # asked for one repository, the engine would keep an image's other names back
        images = [image for image in listed if any(tag.startswith(ours[0]) for tag in _tags(image))]
        newest_first = sorted(images, key=lambda image: _tagged_at(client, image), reverse=True)
    built = [image for image in newest_first if any(not _is_building(tag) for tag in _tags(image))]
    kept = {image["Id"] for image in built[:keep]} | used
    doomed = [name for image in built if image["Id"] not in kept for name in _names(image) if name.startswith(ours)]
    doomed += [tag for image in images for tag in _tags(image) if tag.startswith(ours[0]) and _is_abandoned(tag)]
    for tag in doomed:
        drop(client, tag)
    return tuple(doomed)


def _tags(image: Mapping[str, Any]) -> Iterator[str]:
    yield from image.get("RepoTags") or ()


def _names(image: Mapping[str, Any]) -> Iterator[str]:
    """Tags, and `repository@digest`: that one stays when a tag is given to another image, and holds the bytes."""
    yield from _tags(image)
    yield from image.get("RepoDigests") or ()


def _tagged_at(client: DockerClient, image: Mapping[str, Any]) -> str:
    """When it was last named, as RFC 3339 (sorts as text): the creation time is that of the commit."""
    api: Any = client.api
    metadata = api.inspect_image(image["Id"]).get("Metadata") or {}
    return str(metadata.get("LastTagTime", ""))


def _is_building(tag: str) -> bool:
    return tag.rpartition(":")[2].startswith(_BUILDING)


def _is_abandoned(tag: str) -> bool:
    if not _is_building(tag):
        return False
    since = tag.rpartition(":")[2].removeprefix(_BUILDING).partition("-")[0]
    return since.isdigit() and time.time() - int(since) > ABANDONED_AFTER
