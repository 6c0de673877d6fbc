"""What the engine's words about a push mean."""

from __future__ import annotations

import pytest

from shipper.errors import CredentialsError, PublishError, Transient
from shipper.registries.names import parse_repository
from shipper.registries.push import push_failure
from shipper.registries.refusals import Unauthorized

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("unauthorized: authentication required", Unauthorized),
        ("no basic auth credentials", Unauthorized),
        ("denied: Unauthenticated request. Unauthenticated requests do not have permission", CredentialsError),
        ("denied: requested access to the resource is denied", CredentialsError),
        ("received unexpected HTTP status: 403 Forbidden", CredentialsError),
        ("received unexpected HTTP status: 502 Bad Gateway", Transient),
        ('Get "https://r.io/v2/": dial tcp: lookup r.io: no such host', Transient),
        ('Head "https://r.io/v2/x": net/http: TLS handshake timeout', Transient),
        ('Put "https://r.io/v2/x": EOF', Transient),
        ("toomanyrequests: Too Many Requests", Transient),
        ('Get "https://r:5000/v2/": http: server gave HTTP response to HTTPS client', PublishError),
        ("name unknown: The repository with name 'iris' does not exist", PublishError),
        ("tag invalid: The image tag 'cfg-1' already exists and is immutable", PublishError),
        ("manifest invalid: cannot update tag cfg-1. The repository has enabled tag immutability", PublishError),
        ("blob upload invalid", PublishError),
    ],
)
def test_refused_credentials_are_final_and_a_bad_line_is_not(said: str, kind: type[Exception]) -> None:
    assert type(push_failure(parse_repository("r.io/team/iris"), said)) is kind


def test_the_way_out_names_the_registry() -> None:
    error = push_failure(parse_repository("r.io/team/iris"), "no basic auth credentials")

    assert isinstance(error, CredentialsError)
    assert error.hint == "docker login r.io, with a user who may push to team/iris"


def test_a_repository_that_artifact_registry_does_not_have_is_made_with_the_command_given() -> None:
    there = parse_repository("europe-west1-docker.pkg.dev/shop/models/iris")

    error = push_failure(there, 'name unknown: Repository "models" not found')

    assert isinstance(error, PublishError)
    assert (
        error.message == "Artifact Registry has no repository projects/shop/locations/europe-west1/repositories/models"
    )
    assert "create_repository = true" in error.hint
    command = "gcloud artifacts repositories create models --project=shop --location=europe-west1"
    assert error.details == (f"{command} --repository-format=docker --immutable-tags",)


def test_a_missing_permission_of_artifact_registry_is_named() -> None:
    there = parse_repository("europe-west1-docker.pkg.dev/shop/models/iris")
    said = (
        'denied: Permission "artifactregistry.repositories.uploadArtifacts" denied on resource '
        '"projects/shop/locations/europe-west1/repositories/models" (or it may not exist)'
    )

    error = push_failure(there, said)

    assert isinstance(error, CredentialsError)
    assert error.message.endswith("no permission artifactregistry.repositories.uploadArtifacts")
    assert "roles/artifactregistry.writer on repository models of project shop" in error.hint
    assert error.details == (said,)
