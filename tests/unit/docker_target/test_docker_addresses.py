"""A place named on the command line: an address, and settings behind it."""

from __future__ import annotations

from typing import Any

import pytest

from shipper.targets import UsageError
from shipper_targets.docker import kind

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("url", "settings"),
    [
        ("docker://", {}),
        ("docker://?namespace=web&port=9000", {"namespace": "web", "port": 9000}),
        ("ssh://me@box.example?route=shop.example", {"host": "ssh://me@box.example", "route": "shop.example"}),
        ("ssh://me@box.example:2222/", {"host": "ssh://me@box.example:2222"}),
        ("tcp://box:2375?bind=0.0.0.0", {"host": "tcp://box:2375", "bind": "0.0.0.0"}),
        ("unix:///run/user/7/docker.sock", {"host": "unix:///run/user/7/docker.sock"}),
        (
            "docker://?proxy_image=haproxy:2.8&subnet=10.1.2.0/24",
            {"proxy_image": "haproxy:2.8", "subnet": "10.1.2.0/24"},
        ),
    ],
)
def test_an_address_with_settings(url: str, settings: dict[str, Any]) -> None:
    assert kind.from_url(url) == settings


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://box", "is not an address of a docker target"),
        ("docker://box", "is not an address of a docker target"),
        ("ssh://", "is not an address of a docker target"),
        ("docker://?keep=running", "it has no setting keep"),
        ("docker://?host=ssh://elsewhere", "it has no setting host"),
        ("docker://?port=many", "port: Input should be a valid integer"),
        ("docker://?port=70000", "port: Input should be less than or equal to 65535"),
        ("docker://?namespace=../etc", "namespace: String should match pattern"),
        ("docker://?namespace", "is not an address of a docker target"),
        ("ssh://[::1", "is not an address of a docker target"),
    ],
)
def test_what_is_no_address_says_why(url: str, words: str) -> None:
    with pytest.raises(UsageError) as refused:
        kind.from_url(url)
    assert words in refused.value.message
    assert "?name=value for port, bind, route" in refused.value.hint
