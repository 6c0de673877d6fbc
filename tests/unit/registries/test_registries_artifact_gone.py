"""A repository that cannot be made because its project or location is not there."""

from __future__ import annotations

from typing import Any

import pytest
from google.api_core import exceptions

from shipper.errors import CredentialsError, PublishError
from shipper.pipeline.cancellation import RunCancellation
from shipper.pipeline.remarks import Remarks
from shipper.registries.artifact_registry import ArtifactRegistry
from shipper.registries.artifact_repository import artifact_repository
from shipper.registries.google_credentials import GoogleCredentials
from shipper.registries.names import parse_repository

pytestmark = pytest.mark.unit

NAME = parse_repository("atlantis-west1-docker.pkg.dev/acme-1/images/shop")


class Forgotten:
    """An operation that the API does not know any more."""

    def done(self) -> bool:
        raise exceptions.NotFound("Operation not found.")  # type: ignore[no-untyped-call]


class Api:
    """google.cloud.artifactregistry_v1.ArtifactRegistryClient, as far as `ensure` asks it: there is no repository.

    What the real service answers to a location that is not there was not tried: its words are made up, its 404 is
    what the API's error model has for a parent that is not found.
    """

    def __init__(self, created: Any) -> None:
        self._created = created

    def get_repository(self, *_: Any, **__: Any) -> Any:
        raise exceptions.NotFound("Requested entity was not found.")  # type: ignore[no-untyped-call]

    def create_repository(self, *_: Any, **__: Any) -> Any:
        if isinstance(self._created, Exception):
            raise self._created
        return self._created


def registry(created: Any) -> ArtifactRegistry:
    place = artifact_repository(NAME)
    assert place is not None
    made = ArtifactRegistry(GoogleCredentials(), place, NAME)
    made._client = Api(created)
    return made


@pytest.mark.parametrize(
    "created",
    [exceptions.NotFound("Location atlantis-west1 is not found."), Forgotten()],  # type: ignore[no-untyped-call]
)
def test_publishing_fails_and_says_what_is_not_there(created: Any) -> None:
    with pytest.raises(PublishError, match="cannot make projects/acme-1/locations/atlantis-west1") as failed:
        registry(created).ensure(10, Remarks(), RunCancellation())
    assert "a location atlantis-west1" in failed.value.hint


def test_a_bundle_of_certificates_that_is_not_there_is_a_matter_of_credentials() -> None:
    with pytest.raises(CredentialsError, match="no such bundle"):
        registry(OSError("no such bundle")).ensure(10, Remarks(), RunCancellation())
