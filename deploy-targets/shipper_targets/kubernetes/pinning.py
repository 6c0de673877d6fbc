"""The service's image in manifests of the project's own: by digest, wherever it stands. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shipper_targets.kubernetes.pod_templates import Path, containers_of

_HUB = "docker.io"


@dataclass(frozen=True)
class Found:
    """An image in a container, and where."""

    path: Path
    image: str


def repository_of(image: str) -> str:
    """Registry and path without tag and digest, in full: "nginx:1" is docker.io/library/nginx."""
    name = image.partition("@")[0]
    head, slash, last = name.rpartition("/")
    name = f"{head}{slash}{last.partition(':')[0]}"
    first, slash, rest = name.partition("/")
    if not slash:
        return f"{_HUB}/library/{name}"
    if first in (_HUB, "index.docker.io", "registry-1.docker.io"):
        return f"{_HUB}/{rest if '/' in rest else f'library/{rest}'}"
    is_host = "." in first or ":" in first or first == "localhost"
    return name if is_host else f"{_HUB}/{name}"


def images_in(body: Mapping[str, Any]) -> list[Found]:
    """Every container's image, init containers and those of unknown kinds too."""
    return [
        Found((*path, "image"), container["image"])
        for path, container in containers_of(body)
        if isinstance(container.get("image"), str)
    ]


def holds(body: Mapping[str, Any], repository: str) -> bool:
    """Whether one of its containers has an image of this repository."""
    wanted = repository_of(repository)
    return any(repository_of(found.image) == wanted for found in images_in(body))


def pin(body: dict[str, Any], repository: str, reference: str) -> int:
    """Write `reference` wherever an image of this repository stands; in place. How many there were."""
    wanted = repository_of(repository)
    pinned = 0
    for _, container in containers_of(body):
        if isinstance(container.get("image"), str) and repository_of(container["image"]) == wanted:
            container["image"] = reference
            pinned += 1
    return pinned
