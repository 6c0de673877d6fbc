"""Where Cloud Run takes images from, and what such an image is called in Artifact Registry. Pure."""

from __future__ import annotations

import re
from urllib.parse import quote

from shipper.model import Problem

_ARTIFACT_REGISTRY = re.compile(r"^([a-z0-9-]+)-docker\.pkg\.dev$")
_ACCEPTED = re.compile(r"^(?:(?:[a-z0-9-]+\.)?gcr\.io|[a-z0-9-]+-docker\.pkg\.dev|(?:index\.)?docker\.io)$")


def host_of(repository: str) -> str:
    """By Docker's rule: what comes before the first slash, if it looks like a host; else Docker Hub."""
    first, slash, _ = repository.partition("/")
    return first if slash and ("." in first or ":" in first or first == "localhost") else "docker.io"


def repository_problem(repository: str | None) -> Problem | None:
    """Why Cloud Run would not take images from there; None when it does, or when none is configured."""
    if repository is None or _ACCEPTED.match(host := host_of(repository)):
        return None
    return Problem(
        code=2,
        key="image.repository",
        message=f"Cloud Run takes no images from {host}: only from docker.pkg.dev, gcr.io and docker.io",
        hint="push to Artifact Registry, or put an Artifact Registry remote repository in front of it",
    )


def docker_image_name(reference: str) -> str | None:
    """`projects/P/locations/L/repositories/R/dockerImages/IMAGE@sha256:…`; None where it is no such image by digest.

    Source: the resource DockerImage of the Artifact Registry API (v1); slashes of nested images are escaped.
    """
    path, at, digest = reference.partition("@")
    host, _, rest = path.partition("/")
    location = _ARTIFACT_REGISTRY.match(host)
    parts = rest.split("/", 2)
    if location is None or not at or len(parts) < 3:
        return None
    image = quote(parts[2].partition(":")[0], safe="")
    return f"projects/{parts[0]}/locations/{location[1]}/repositories/{parts[1]}/dockerImages/{image}@{digest}"
