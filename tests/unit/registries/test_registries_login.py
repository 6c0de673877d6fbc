"""Which credentials a registry of Google's gets: Docker's while they are good, then Google's own."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shipper.errors import CredentialsError
from shipper.registries.credentials import Credentials, HelperFailed
from shipper.registries.google_credentials import GoogleCredentials
from shipper.registries.login import Login
from shipper.registries.names import parse_repository
from shipper.registries.pull_login import PullLogin, pull_login
from shipper.registries.refusals import NoCredentials

pytestmark = pytest.mark.unit

HOST = "europe-west1-docker.pkg.dev"
NEEDS_GCLOUD = """\
if [ -z "$CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE" ]; then echo "no active account" >&2; exit 1; fi
echo '{"Username":"_dcgcloud_token","Secret":"of gcloud"}'
"""

Configure = Callable[..., None]


class Google(GoogleCredentials):
    """Gives one token after another, or says why it has none."""

    def __init__(self, *answers: str | CredentialsError) -> None:
        super().__init__()
        self.answers = list(answers)

    def login(self, *, renew: bool = False) -> Credentials:
        if renew and len(self.answers) > 1:
            self.answers.pop(0)
        if isinstance(self.answers[0], CredentialsError):
            raise self.answers[0]
        return Credentials("oauth2accesstoken", self.answers[0])


@pytest.fixture
def configure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Configure:
    """Write Docker's configuration, and the helper `gcloud` onto PATH."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.delenv("CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE", raising=False)

    def write(configuration: dict[str, Any], helper: str | None = None) -> None:
        (tmp_path / "config.json").write_text(json.dumps(configuration))
        if helper is not None:
            (tmp_path / "docker-credential-gcloud").write_text(f"#!/bin/sh\n{helper}")
            (tmp_path / "docker-credential-gcloud").chmod(0o755)

    return write


def login_with(google: Google, host: str = HOST) -> Login:
    login = Login(parse_repository(f"{host}/acme/images/shop"))
    login.google = google
    return login


def stored(user_and_password: str, host: str = HOST) -> dict[str, Any]:
    return {"auths": {host: {"auth": base64.b64encode(user_and_password.encode()).decode()}}}


def password(found: Credentials | None) -> str | None:
    return found.password if found is not None else None


HELPER = {"credHelpers": {HOST: "gcloud"}}


def test_gcloud_s_helper_sees_which_credentials_are_active(
    configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(HELPER, NEEDS_GCLOUD)
    monkeypatch.setenv("CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE", "/ci/credentials.json")
    assert password(login_with(Google("of Google"))()) == "of gcloud"


def test_where_the_helper_fails_google_s_own_credentials_are_used(configure: Configure) -> None:
    configure(HELPER, NEEDS_GCLOUD)
    assert password(login_with(Google("of Google"))()) == "of Google"


def test_where_the_helper_is_not_installed_likewise(configure: Configure) -> None:
    configure({"credHelpers": {HOST: "not-installed-anywhere"}})
    assert password(login_with(Google("of Google"))()) == "of Google"


def test_where_neither_is_any_use_the_helper_is_told_and_why_there_is_nothing_else(configure: Configure) -> None:
    configure(HELPER, NEEDS_GCLOUD)
    with pytest.raises(HelperFailed, match="docker-credential-gcloud gave no credentials") as failed:
        login_with(Google(NoCredentials("there are no Google credentials here")))()
    assert failed.value.details == ("there are no Google credentials here",)


def test_another_registry_s_helper_is_never_replaced_by_google(configure: Configure) -> None:
    configure({"credHelpers": {"ghcr.io": "gcloud"}}, NEEDS_GCLOUD)
    with pytest.raises(HelperFailed):
        login_with(Google("of Google"), host="ghcr.io")()


def test_a_token_that_docker_login_left_and_nobody_knows_any_more_makes_way(configure: Configure) -> None:
    configure(stored("oauth2accesstoken:an hour old"))
    login = login_with(Google("fresh"))
    assert password(login()) == "an hour old"
    assert login.renew()
    assert password(login()) == "fresh"


def test_once_refused_it_does_not_come_back_when_google_s_token_ends_too(configure: Configure) -> None:
    configure(stored("oauth2accesstoken:an hour old"))
    login = login_with(Google("first", "second", "third"))
    login()
    assert login.renew()
    assert password(login()) == "second", "renewed at once: nobody knows how old the first one is"
    assert login.renew()
    assert password(login()) == "third"


def test_a_new_docker_login_is_taken(configure: Configure) -> None:
    configure(stored("oauth2accesstoken:an hour old"))
    login = login_with(Google(NoCredentials("none")))
    login()
    configure(stored("oauth2accesstoken:fresh"))
    assert login.renew()
    assert password(login()) == "fresh"


def test_without_anything_else_there_is_nothing_to_renew(configure: Configure) -> None:
    configure(stored("oauth2accesstoken:an hour old"))
    login = login_with(Google(NoCredentials("there are no Google credentials here")))
    login()
    assert not login.renew()


def test_another_registry_s_password_is_refused_for_good(configure: Configure) -> None:
    configure(stored("ann:wrong", host="ghcr.io"))
    login = login_with(Google("of Google"), host="ghcr.io")
    login()
    assert not login.renew()


def test_an_image_of_google_s_is_pulled_with_google_s_credentials(configure: Configure) -> None:
    configure({})
    login = PullLogin(login_with(Google("of Google")))
    assert login() == {"username": "oauth2accesstoken", "password": "of Google"}


def test_a_public_image_is_pulled_without_any(configure: Configure) -> None:
    configure({})
    login = PullLogin(login_with(Google(NoCredentials("none"))))
    assert login() is None
    assert not login.renew()


@pytest.mark.parametrize("reference", ["iris:7", "ghcr.io/a/b@sha256:" + "a" * 64, "127.0.0.1:5000/iris:7"])
def test_other_registries_are_left_to_docker(reference: str) -> None:
    from shipper.pipeline.cancellation import RunCancellation

    assert pull_login(reference, RunCancellation()) is None
    assert pull_login(f"{HOST}/acme/images/shop:7", RunCancellation()) is not None
