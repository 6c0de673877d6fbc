"""Which registry a name means."""

from __future__ import annotations

import pytest

from shipper.registries.names import parse_repository

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("iris", "https://registry-1.docker.io/v2/library/iris"),
        ("team/iris", "https://registry-1.docker.io/v2/team/iris"),
        ("docker.io/iris", "https://registry-1.docker.io/v2/library/iris"),
        ("index.docker.io/team/iris", "https://registry-1.docker.io/v2/team/iris"),
        ("ghcr.io/team/iris", "https://ghcr.io/v2/team/iris"),
        ("registry:5000/iris", "https://registry:5000/v2/iris"),
        ("127.0.0.1:5000/a/b/c", "http://127.0.0.1:5000/v2/a/b/c"),
        ("127.1.2.3/iris", "http://127.1.2.3/v2/iris"),
        ("localhost:5000/iris", "http://localhost:5000/v2/iris"),
        ("localhost/iris", "http://localhost/v2/iris"),
        ("[::1]:5000/iris", "http://[::1]:5000/v2/iris"),
        ("localhost.example.com/iris", "https://localhost.example.com/v2/iris"),
        ("10.0.0.1:5000/iris", "https://10.0.0.1:5000/v2/iris"),
        ("0.0.0.0:5000/iris", "https://0.0.0.0:5000/v2/iris"),
    ],
)
def test_only_this_machine_is_asked_without_encryption(name: str, url: str) -> None:
    assert parse_repository(name).url == url


def test_docker_hub_has_its_credentials_under_an_address() -> None:
    assert parse_repository("iris").credentials_key == "https://index.docker.io/v1/"
    assert parse_repository("ghcr.io/a/b").credentials_key == "ghcr.io"
