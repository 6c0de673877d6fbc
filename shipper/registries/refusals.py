"""What a registry's refusals mean, whoever heard them: the engine while pushing, or our own reader."""

from __future__ import annotations

import re
from typing import TypeVar

from shipper.errors import CredentialsError
from shipper.model.json_text import parse_json
from shipper.registries.artifact_repository import artifact_repository, is_google
from shipper.registries.names import Repository

_PERMISSION = re.compile(r"""permissions? ["'](artifactregistry\.[A-Za-z.]+)["']""", re.IGNORECASE)
"""How Artifact Registry names what is missing, in `denied: Permission "…" denied on resource "…"`."""

_ROLES = {"uploadArtifacts": "roles/artifactregistry.writer", "downloadArtifacts": "roles/artifactregistry.reader"}


Kind = TypeVar("Kind", bound=CredentialsError)


class Unauthorized(CredentialsError):
    """Nobody knows who we are (401): where credentials can be had anew, these may have expired."""


class NoCredentials(CredentialsError):
    """There are no credentials at all; what is public may still be read."""


def denied(repository: Repository, why: str) -> CredentialsError:
    """The registry does not let us in. `why` are its own words, or ours about them."""
    return _refusal(CredentialsError, repository, why)


def unauthorized(repository: Repository, why: str) -> Unauthorized:
    """The same, when it does not know who we are."""
    return _refusal(Unauthorized, repository, why)


def words_of(body: bytes) -> str:
    """The first error in a refusal's body, as the OCI distribution specification has it; empty when it has none."""
    try:
        first = parse_json(body)["errors"][0]
        return " ".join(f"{str(first['code']).lower().replace('_', ' ')}: {first['message']}".split())[:300]
    except (ValueError, KeyError, IndexError, TypeError):
        return ""


def _refusal(kind: type[Kind], repository: Repository, why: str) -> Kind:
    place = artifact_repository(repository)
    if place is not None and (missing := _PERMISSION.search(why)):
        role = _ROLES.get(missing[1].rpartition(".")[2], "roles/artifactregistry.writer")
        return kind(
            f"{repository.registry} refuses {repository.path}: no permission {missing[1]}",
            hint=f"grant {role} on repository {place.name} of project {place.project} to whom these credentials are",
            details=(why,),
        )
    if is_google(repository.registry):
        return kind(
            f"{repository.registry} refuses {repository.path}: {why}",
            hint=f"gcloud auth application-default login, or docker login {repository.registry}",
        )
    host = "" if repository.registry == "docker.io" else f" {repository.registry}"
    return kind(
        f"the registry {repository.registry} refuses {repository.path}: {why}",
        hint=f"docker login{host}, with a user who may push to {repository.path}",
    )
