"""Names that Artifact Registry cannot have are found before anything is built."""

from __future__ import annotations

import pytest

from shipper.registries.artifact_names import repository_problem

pytestmark = pytest.mark.unit

HOST = "europe-west1-docker.pkg.dev"


@pytest.mark.parametrize(
    "name",
    [
        f"{HOST}/acme-1/images/shop",
        f"{HOST}/acme-1/i/team/shop",
        f"{HOST}/example.com/acme/images/shop",
        f"{HOST}/acme-1/{'a' * 63}/shop",
        "gcr.io/acme-1/shop",
        "k8s.gcr.io/acme/shop",
        "iris",
        "ghcr.io/team/my_images",
        "127.0.0.1:5000/iris",
    ],
)
def test_names_that_can_be(name: str) -> None:
    assert repository_problem(name) is None


@pytest.mark.parametrize(
    ("name", "message", "form"),
    [
        (f"{HOST}/acme-1/images", "too few parts", f"{HOST}/PROJECT/REPOSITORY/IMAGE"),
        (f"{HOST}/example.com/acme/images", "too few parts", f"{HOST}/PROJECT/REPOSITORY/IMAGE"),
        (f"{HOST}/acme-1", "too few parts", f"{HOST}/PROJECT/REPOSITORY/IMAGE"),
        ("gcr.io/acme-1", "too few parts", "gcr.io/PROJECT/IMAGE"),
        ("eu.gcr.io/acme-1", "too few parts", "eu.gcr.io/PROJECT/IMAGE"),
        (f"{HOST}/acme-1/my_images/shop", '"my_images" cannot be', f"{HOST}/PROJECT/REPOSITORY/IMAGE"),
        (f"{HOST}/acme-1/1images/shop", '"1images" cannot be', "REPOSITORY in lower-case letters"),
        (f"{HOST}/acme-1/images-/shop", '"images-" cannot be', "REPOSITORY in lower-case letters"),
        (f"{HOST}/acme-1/{'a' * 64}/shop", "cannot be", "at most 63"),
    ],
)
def test_names_that_cannot_be_are_told_with_the_right_form(name: str, message: str, form: str) -> None:
    found = repository_problem(name)
    assert found is not None
    assert message in found.message
    assert form in found.hint
