"""An engine that cannot be used is said so, with the way out."""

from __future__ import annotations

from pathlib import Path

import pytest

from shipper.errors import CredentialsError, ShipperError, UnreachableError
from shipper.images.connection import engine_errors, open_client
from shipper.images.engine import connect
from shipper.images.local import reference_of
from shipper.images.platform import platform_of, same_platform

pytestmark = pytest.mark.unit


def test_an_engine_that_does_not_run_is_unreachable(tmp_path: Path) -> None:
    with pytest.raises(UnreachableError) as failed:
        connect(f"unix://{tmp_path}/docker.sock")

    assert failed.value.message == "the Docker engine cannot be used: it is not running"
    assert failed.value.hint == "start Docker, or set DOCKER_HOST to another engine"


def test_docker_host_is_honoured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/elsewhere.sock")

    with pytest.raises(UnreachableError, match="not running"):
        open_client()


@pytest.mark.parametrize("host", ["frob://x", "tcp://127.0.0.1:1", "unix:///"])
def test_no_address_is_a_traceback(host: str) -> None:
    with pytest.raises(ShipperError):
        connect(host)


def test_a_socket_that_may_not_be_opened_is_a_matter_of_permission() -> None:
    import requests

    with (
        pytest.raises(CredentialsError, match="no permission to open its socket") as refused,
        engine_errors("the engine"),
    ):
        raise requests.ConnectionError("Connection aborted.", PermissionError(13, "Permission denied"))

    assert refused.value.code == 32


def test_platforms_have_one_name() -> None:
    assert platform_of({"Os": "linux", "Architecture": "arm64", "Variant": "v8"}) == "linux/arm64"
    assert platform_of({"Os": "linux", "Architecture": "arm", "Variant": "v7"}) == "linux/arm/v7"
    assert same_platform("linux/arm64/v8", "linux/arm64")
    assert not same_platform("linux/amd64", "linux/arm64")


def test_an_image_is_named_after_its_config() -> None:
    assert reference_of("iris", "sha256:" + "ab" * 32) == "shipper.local/iris:" + "ab" * 16
