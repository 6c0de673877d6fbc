"""Names of Artifact Registry's repositories."""

from __future__ import annotations

import pytest

from shipper.registries.artifact_repository import artifact_repository, is_google
from shipper.registries.names import parse_repository

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("name", "resource", "image"),
    [
        (
            "us-central1-docker.pkg.dev/shop/models/iris",
            "projects/shop/locations/us-central1/repositories/models",
            "iris",
        ),
        (
            "europe-docker.pkg.dev/shop/models/team/iris",
            "projects/shop/locations/europe/repositories/models",
            "team/iris",
        ),
        (
            "us-docker.pkg.dev/example.com/shop/models/iris",
            "projects/example.com:shop/locations/us/repositories/models",
            "iris",
        ),
        ("gcr.io/shop/iris", "projects/shop/locations/us/repositories/gcr.io", "iris"),
        (
            "eu.gcr.io/example.com/shop/iris",
            "projects/example.com:shop/locations/europe/repositories/eu.gcr.io",
            "iris",
        ),
    ],
)
def test_a_name_means_a_repository_and_an_image(name: str, resource: str, image: str) -> None:
    found = artifact_repository(parse_repository(name))

    assert found is not None
    assert (found.resource, found.image) == (resource, image)


@pytest.mark.parametrize(
    "name",
    [
        "iris",
        "ghcr.io/team/iris",
        "us-central1-docker.pkg.dev/shop/models",
        "us-central1-docker.pkg.dev/shop",
        "gcr.io/shop",
    ],
)
def test_other_names_mean_none(name: str) -> None:
    assert artifact_repository(parse_repository(name)) is None


@pytest.mark.parametrize("registry", ["us-central1-docker.pkg.dev", "gcr.io", "eu.gcr.io", "marketplace.gcr.io"])
def test_google_s_registries_take_google_s_tokens(registry: str) -> None:
    assert is_google(registry)


@pytest.mark.parametrize(
    "registry",
    ["docker.io", "ghcr.io", "mygcr.io", "docker.pkg.dev.example.com", "us-docker.pkg.dev:5000", "127.0.0.1:5000"],
)
def test_no_other_registry_is_ever_shown_one(registry: str) -> None:
    assert not is_google(registry)
