"""References to Secret Manager, and versions of it."""

from __future__ import annotations

import pytest

from shipper.errors import Invalid
from shipper_targets.cloudrun.secret_names import parse_reference, parse_version

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("secret-manager:token", "projects/demo/secrets/token/versions/latest"),
        ("secret-manager:token@latest", "projects/demo/secrets/token/versions/latest"),
        ("secret-manager:token@7", "projects/demo/secrets/token/versions/7"),
        ("secret-manager:projects/other/secrets/token@7", "projects/other/secrets/token/versions/7"),
        ("secret-manager:projects/other/secrets/token", "projects/other/secrets/token/versions/latest"),
        ("projects/other/secrets/token/versions/7", "projects/other/secrets/token/versions/7"),
        ("projects/example.com:acme/secrets/token/versions/7", "projects/example.com:acme/secrets/token/versions/7"),
    ],
)
def test_what_a_reference_means(text: str, name: str) -> None:
    assert parse_reference(text, "demo").name == name


@pytest.mark.parametrize("text", ["env:TOKEN", "secret-manager:", "secret-manager:a/b", "secret-manager:a/b/c/d/e"])
def test_what_is_none(text: str) -> None:
    with pytest.raises(Invalid, match="no reference to Secret Manager"):
        parse_reference(text, "demo")


def test_a_version_is_a_secret_and_a_number() -> None:
    assert parse_version("projects/p/secrets/s/versions/12") == ("projects/p/secrets/s", "12")
    for text in ("sha256:abc", "projects/p/secrets/s", "a/p/b/s/c/12"):
        with pytest.raises(Invalid, match="no version of a secret"):
            parse_version(text)
