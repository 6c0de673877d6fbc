"""Names that no repository of Artifact Registry can have: pure.

A repository's name starts with a letter, ends with a letter or digit and has only lower-case letters, digits and
hyphens between, at most 63 (https://cloud.google.com/artifact-registry/docs/repositories/create-repos); an image has a
name of its own below it (https://cloud.google.com/artifact-registry/docs/docker/names).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from shipper.registries.artifact_repository import artifact_repository, is_google
from shipper.registries.names import parse_repository

_NAME = re.compile(r"[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?")


@dataclass(frozen=True)
class NameProblem:
    """Why nothing can be pushed there, and the form that is right."""

    message: str
    hint: str


def repository_problem(name: str) -> NameProblem | None:
    """What is wrong with `[image] repository`, where it is one of Google's. None for every other registry."""
    repository = parse_repository(name)
    host = repository.registry
    if not is_google(host):
        return None
    place = artifact_repository(repository)
    form = f"{host}/PROJECT/IMAGE" if _is_legacy(host) else f"{host}/PROJECT/REPOSITORY/IMAGE"
    if place is None and (_is_legacy(host) and "/" in repository.path):
        return None  # a host of gcr.io whose repositories are not ours to know
    if place is None:
        return NameProblem(f"{name} has too few parts to name an image", hint=f"write {form}")
    if not _is_legacy(host) and not _NAME.fullmatch(place.name):
        return NameProblem(
            f'"{place.name}" cannot be the name of a repository of Artifact Registry',
            hint=f"write {form}, REPOSITORY in lower-case letters, digits and hyphens, at most 63",
        )
    return None


def _is_legacy(host: str) -> bool:
    return host == "gcr.io" or host.endswith(".gcr.io")
