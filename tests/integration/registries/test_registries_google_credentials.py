"""When a token of Google's is had anew, and what is asked on the way: against the rig's identity services alone."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from shipper.errors import CredentialsError, PublishError
from shipper.registries.artifact_registry import ArtifactRegistry
from shipper.registries.artifact_repository import artifact_repository
from shipper.registries.google_credentials import ENOUGH, GoogleCredentials
from shipper.registries.login import RENEWALS, Login
from shipper.registries.names import parse_repository
from tests.integration.images.conftest import Switch, Told
from tests.rig.google.identity import ACCOUNT, Identity
from tests.rig.google.identity_server import serving

pytestmark = pytest.mark.integration

REPOSITORY = parse_repository("us-central1-docker.pkg.dev/shop/models/iris")


@pytest.fixture
def identity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Identity]:
    """Its service account is who the environment names."""
    made = Identity(tmp_path / "identity")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    with serving(made) as base_url:
        monkeypatch.setenv(
            "GOOGLE_APPLICATION_CREDENTIALS", str(made.key_file(tmp_path / "key.json", base_url=base_url))
        )
        yield made


def test_the_password_is_a_token_that_speaks_for_the_account(identity: Identity) -> None:
    given = GoogleCredentials().login()

    assert given.username == "oauth2accesstoken"
    assert identity.principal(given.password) == ACCOUNT


def test_a_token_with_enough_life_left_is_kept(identity: Identity) -> None:
    google = GoogleCredentials()

    assert google.login() == google.login()


def test_one_with_less_is_had_anew(identity: Identity) -> None:
    identity.set_lifetime(ACCOUNT, ENOUGH - 1)
    google = GoogleCredentials()

    assert google.login() != google.login()


def test_a_refused_one_is_had_anew_but_not_for_ever(identity: Identity) -> None:
    login = Login(REPOSITORY)
    refused = login()

    assert login.renew()
    assert login() != refused
    assert [login.renew() for _ in range(RENEWALS)] == [True] * (RENEWALS - 1) + [False]


def test_no_other_registry_gets_one(identity: Identity) -> None:
    assert Login(parse_repository("ghcr.io/team/iris"))() is None


def test_without_the_extra_it_says_what_to_install(identity: Identity, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "google.auth", None)

    with pytest.raises(CredentialsError, match="google-auth is not installed") as refused:
        GoogleCredentials().login()
    assert 'pip install ".[gcp]"' in refused.value.hint


def test_without_the_extra_no_repository_is_made(
    identity: Identity, monkeypatch: pytest.MonkeyPatch, told: Told, switch: Switch
) -> None:
    monkeypatch.setitem(sys.modules, "google.cloud.artifactregistry_v1", None)
    place = artifact_repository(REPOSITORY)
    assert place is not None

    with pytest.raises(PublishError, match="google-cloud-artifact-registry, which is not installed") as refused:
        ArtifactRegistry(GoogleCredentials(), place, REPOSITORY).ensure(5, told, switch)
    assert refused.value.hint == 'in a checkout of shipper: pip install ".[gcp]"'
