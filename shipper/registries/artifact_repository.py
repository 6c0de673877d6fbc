"""Which repository of Artifact Registry a name means: pure.

`<location>-docker.pkg.dev/<project>/<repository>/<image>`
(https://cloud.google.com/artifact-registry/docs/docker/names), and `gcr.io`, which Artifact Registry serves from
repositories of that name (https://cloud.google.com/artifact-registry/docs/transition/setup-gcr-repo).
A domain-scoped project `example.com:shop` is written `example.com/shop` there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from shipper.registries.names import Repository

_DOCKER = re.compile(r"([a-z0-9-]+)-docker\.pkg\.dev")
_LEGACY = {"gcr.io": "us", "us.gcr.io": "us", "eu.gcr.io": "europe", "asia.gcr.io": "asia"}
"""Host -> the multi-region in which Artifact Registry keeps it."""


@dataclass(frozen=True)
class ArtifactRepository:
    """A repository, and which image in it: `package` in the API's words."""

    project: str
    location: str
    name: str
    image: str

    @property
    def parent(self) -> str:
        return f"projects/{self.project}/locations/{self.location}"

    @property
    def resource(self) -> str:
        """Its name in the API."""
        return f"{self.parent}/repositories/{self.name}"

    @property
    def create_command(self) -> str:
        """What a person types to make it."""
        return (
            f"gcloud artifacts repositories create {self.name} --project={self.project} --location={self.location}"
            " --repository-format=docker --immutable-tags"
        )


def is_google(registry: str) -> bool:
    """Whether a registry takes Google's access tokens."""
    return _DOCKER.fullmatch(registry) is not None or registry == "gcr.io" or registry.endswith(".gcr.io")


def artifact_repository(repository: Repository) -> ArtifactRepository | None:
    """The repository in Artifact Registry; None for another registry, or a name with too few parts."""
    host = _DOCKER.fullmatch(repository.registry)
    legacy = _LEGACY.get(repository.registry)
    if host is None and legacy is None:
        return None
    project, *rest = repository.path.split("/")
    if "." in project and rest:
        project, rest = f"{project}:{rest[0]}", rest[1:]
    if host is not None:
        return ArtifactRepository(project, host[1], rest[0], "/".join(rest[1:])) if len(rest) > 1 else None
    return ArtifactRepository(project, str(legacy), repository.registry, "/".join(rest)) if rest else None
