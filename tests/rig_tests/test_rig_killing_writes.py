"""What the kill harness counts as a write, and what it calls it."""

from __future__ import annotations

import json
import time
from urllib.parse import urlsplit

import pytest

from tests.rig.killing_http import Asked
from tests.rig.killing_writes import (
    READING_SCRIPTS,
    SCRIPTS,
    engine_write,
    made_exec,
    reads_only,
    script_of,
    started_exec,
    store_write,
)

pytestmark = pytest.mark.unit

CONTAINER = "4f" * 32


def asked(method: str, path: str, body: bytes | None = b"") -> Asked:
    return Asked(method, urlsplit(path), {}, body, time.monotonic())


@pytest.mark.parametrize(
    ("method", "path", "name"),
    [
        ("POST", "/v1.44/containers/create?name=shop-1", "POST /containers/create shop-1"),
        ("POST", f"/v1.44/containers/{CONTAINER}/start", f"POST /containers/{CONTAINER[:12]}/start"),
        ("DELETE", f"/containers/{CONTAINER}?force=1", f"DELETE /containers/{CONTAINER[:12]}"),
        ("POST", "/v1.44/networks/web/disconnect", "POST /networks/web/disconnect"),
        ("PUT", "/v1.44/containers/web-proxy/archive?path=/state", "PUT /containers/web-proxy/archive"),
        ("PUT", "/v1.44/containers/web-proxy/archive?path=/tmp", "PUT /containers/web-proxy/archive"),
    ],
)
def test_what_can_affect_the_place_is_a_write(method: str, path: str, name: str) -> None:
    assert engine_write(asked(method, path)) == name


def test_the_name_of_a_volume_or_network_is_in_the_body() -> None:
    body = json.dumps({"Name": "web-state"}).encode()
    assert engine_write(asked("POST", "/v1.44/volumes/create", body)) == "POST /volumes/create web-state"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1.44/containers/json"),
        ("HEAD", "/_ping"),
        ("POST", f"/v1.44/containers/{CONTAINER}/wait"),
        ("POST", f"/v1.44/containers/{CONTAINER}/attach"),
        ("POST", "/v1.44/images/create?fromImage=haproxy"),
        ("POST", "/v1.44/build"),
        ("POST", "/session"),
        ("POST", f"/v1.44/containers/{CONTAINER}/exec"),
    ],
)
def test_reads_builds_and_images_are_none(method: str, path: str) -> None:
    assert engine_write(asked(method, path)) is None


def test_a_request_that_is_handed_over_as_a_file_is_asking() -> None:
    path = "/v1.44/containers/web-proxy/archive?path=%2Ftmp"
    assert engine_write(asked("PUT", path, b"request-0a1b\0\0\0")) is None
    assert engine_write(asked("PUT", path, b"record-0a1b\0\0\0")) is not None


def test_an_exec_is_known_by_its_script_and_started_by_its_id() -> None:
    text = "\n".join((SCRIPTS / name).read_text() for name in ("lib.sh", "apply.sh"))
    command = json.dumps({"Cmd": ["bash", "-c", text, "shipper", "web", "1 2 3"]}).encode()
    assert made_exec(asked("POST", "/v1.44/containers/web-proxy/exec", command)) == "apply.sh"
    assert started_exec(asked("POST", "/v1.44/exec/7c0ffee/start")) == "7c0ffee"
    assert made_exec(asked("POST", "/v1.44/containers/create")) is None
    assert started_exec(asked("GET", "/v1.44/exec/7c0ffee/json")) is None


@pytest.mark.parametrize("name", sorted({path.name for path in SCRIPTS.glob("*.sh")} - {"lib.sh"}))
def test_every_script_of_the_docker_target_is_recognised(name: str) -> None:
    text = "\n".join((SCRIPTS / part).read_text() for part in ("lib.sh", name))
    assert script_of(["bash", "-c", text, "shipper"]) == name


@pytest.mark.parametrize("name", sorted(READING_SCRIPTS))
def test_what_is_said_to_read_only_does_nothing_that_the_writing_ones_do(name: str) -> None:
    text = (SCRIPTS / name).read_text()
    assert not [
        word for word in ("converge", "put ", "mv ", "mkdir", "ln ", "add server", "set server") if word in text
    ]


def test_a_script_that_nobody_knows_counts_as_a_write() -> None:
    assert not reads_only(script_of(["sh", "-c", "rm -rf /state"]))


def test_an_object_is_called_by_its_last_three_names() -> None:
    path = "/bucket/prefix/shop/dev/local/entries/000000000003.json"
    assert store_write(asked("PUT", path)) == "PUT local/entries/000000000003.json"
    assert store_write(asked("GET", path)) is None
