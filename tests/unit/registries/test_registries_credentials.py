"""Credentials, from where `docker login` puts them."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shipper.errors import CredentialsError
from shipper.registries.credentials import Credentials, find_credentials
from shipper.registries.names import parse_repository

pytestmark = pytest.mark.unit

Configure = Callable[..., None]


@pytest.fixture
def configure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Configure:
    """Write Docker's configuration, and credential helpers (name to shell script) onto PATH."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")

    def write(configuration: dict[str, Any] | str, **helpers: str) -> None:
        text = configuration if isinstance(configuration, str) else json.dumps(configuration)
        (tmp_path / "config.json").write_text(text)
        for name, script in helpers.items():
            (tmp_path / f"docker-credential-{name}").write_text(f"#!/bin/sh\n{script}\n")
            (tmp_path / f"docker-credential-{name}").chmod(0o755)

    return write


def auth(text: str) -> dict[str, str]:
    return {"auth": base64.b64encode(text.encode()).decode()}


def test_without_a_configuration_we_are_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "none"))

    assert find_credentials(parse_repository("ghcr.io/a/b")) is None


@pytest.mark.parametrize(
    ("key", "repository"),
    [
        ("ghcr.io", "ghcr.io/a/b"),
        ("https://ghcr.io/v2/", "ghcr.io/a/b"),
        ("https://index.docker.io/v1/", "iris"),
        ("docker.io", "team/iris"),
        ("127.0.0.1:5000", "127.0.0.1:5000/iris"),
    ],
)
def test_a_stored_password_is_found(configure: Configure, key: str, repository: str) -> None:
    configure({"auths": {"other.io": auth("x:y"), key: auth("ann:pass:word")}})

    assert find_credentials(parse_repository(repository)) == Credentials("ann", "pass:word")


def test_another_registrys_password_is_never_given(configure: Configure) -> None:
    configure({"auths": {"ghcr.io": auth("ann:secret")}})

    assert find_credentials(parse_repository("evil.ghcr.io/a")) is None
    assert find_credentials(parse_repository("ghcr.io:444/a")) is None


def test_a_helper_for_this_registry_goes_first(configure: Configure) -> None:
    script = """read key; echo "{\\"Username\\": \\"$1-$key\\", \\"Secret\\": \\"s\\"}" """
    configure(
        {"credHelpers": {"ghcr.io": "mine"}, "credsStore": "gone", "auths": {"ghcr.io": auth("a:b")}}, mine=script
    )

    assert find_credentials(parse_repository("ghcr.io/a")) == Credentials("get-ghcr.io", "s")


def test_a_helper_may_give_an_identity_token(configure: Configure) -> None:
    configure({"credsStore": "mine"}, mine="""echo '{"Username": "<token>", "Secret": "idt"}'""")

    found = find_credentials(parse_repository("ghcr.io/a"))

    assert found is not None
    assert found.for_engine() == {"identitytoken": "idt"}


def test_a_helper_that_knows_nothing_is_no_error(configure: Configure) -> None:
    configure({"credsStore": "mine"}, mine="echo credentials not found in native keychain; exit 1")

    assert find_credentials(parse_repository("ghcr.io/a")) is None


@pytest.mark.parametrize(
    ("configuration", "said"),
    [
        ("{", "cannot be read"),
        ({"auths": {"ghcr.io": {"auth": "%%"}}}, "cannot be read"),
        ({"credsStore": "../../evil"}, "credential helper"),
        ({"credsStore": "mine"}, "ended with status 3"),
    ],
)
def test_what_cannot_be_used_is_said_and_never_skipped(configure: Configure, configuration: Any, said: str) -> None:
    configure(configuration, mine="echo locked >&2; exit 3")

    with pytest.raises(CredentialsError, match=said):
        find_credentials(parse_repository("ghcr.io/a"))


def test_credentials_cannot_be_printed() -> None:
    assert "secret" not in repr(Credentials("ann", "secret", "secret"))
