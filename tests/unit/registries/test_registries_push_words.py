"""What the engine's words about a push mean."""

from __future__ import annotations

import pytest

from shipper.errors import CredentialsError, PublishError, Transient
from shipper.registries.names import parse_repository
from shipper.registries.push import push_failure

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("unauthorized: authentication required", CredentialsError),
        ("no basic auth credentials", CredentialsError),
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
        ("blob upload invalid", PublishError),
    ],
)
def test_refused_credentials_are_final_and_a_bad_line_is_not(said: str, kind: type[Exception]) -> None:
    assert type(push_failure(parse_repository("r.io/team/iris"), said)) is kind


def test_the_way_out_names_the_registry() -> None:
    error = push_failure(parse_repository("r.io/team/iris"), "no basic auth credentials")

    assert isinstance(error, CredentialsError)
    assert error.hint == "docker login r.io, with a user who may push to team/iris"
