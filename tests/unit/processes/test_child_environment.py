"""A child sees what it needs of our environment, and no secret."""

import pytest

from shipper.processes import child_environment, helper_environment

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    "name",
    [
        "PATH",
        "HOME",
        "LC_ALL",
        "XDG_CACHE_HOME",
        "DOCKER_HOST",
        "DOCKER_TLS_VERIFY",
        "SSL_CERT_FILE",
        "https_proxy",
        "NO_PROXY",
        "BUILDX_BUILDER",
        "SSH_AUTH_SOCK",
    ],
)
def test_what_a_child_needs_is_handed_on(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "as we have it")

    assert child_environment()[name] == "as we have it"


@pytest.mark.parametrize(
    "name",
    [
        "AWS_SECRET_ACCESS_KEY",
        "GITHUB_TOKEN",
        "DOCKER_AUTH_CONFIG",
        "TRIVY_SEVERITY",
        "PYTHONPATH",
        "LD_PRELOAD",
        "GOOGLE_APPLICATION_CREDENTIALS",
    ],
)
def test_nothing_else_is(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "a secret, or a way in")

    assert name not in child_environment()


def test_what_the_caller_names_comes_on_top(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/ours")

    environment = child_environment({"HOME": "/theirs", "SOURCE_DATE_EPOCH": "1"})

    assert environment["HOME"] == "/theirs"
    assert environment["SOURCE_DATE_EPOCH"] == "1"


def test_a_credential_helper_finds_what_google_s_tools_look_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE", "/ci/credentials.json")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/ci/credentials.json")
    monkeypatch.setenv("GITHUB_TOKEN", "a secret")

    given = helper_environment()

    assert given["CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE"] == "/ci/credentials.json"
    assert given["GOOGLE_APPLICATION_CREDENTIALS"] == "/ci/credentials.json"
    assert "GITHUB_TOKEN" not in given
