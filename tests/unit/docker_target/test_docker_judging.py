"""Readiness, drift and answers: pure judgements on what the engine and the service said."""

from __future__ import annotations

from typing import Any

import pytest

from shipper.model import HealthSettings, ProbeRequest, ProbeResponse
from shipper.targets import Transient
from shipper_targets.docker.asking import as_bytes, from_bytes
from shipper_targets.docker.drift import drift_of
from shipper_targets.docker.facts import has_ended
from shipper_targets.docker.proxy import Live
from shipper_targets.docker.readiness import unready_because
from shipper_targets.docker.render import Server, State

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("health", "status", "body", "problem"),
    [
        ({}, 200, b"anything", ""),
        ({}, 503, b"", "/healthz answers 503, not 200"),
        ({"status": 204}, 204, b"", ""),
        ({"json": {"ready": True}}, 200, b'{"ready": true, "more": 1}', ""),
        ({"json": {"ready": True}}, 200, b'{"ready": false}', "$.ready: expected true, found false"),
        ({"json": {"ready": True}}, 200, b"ok", "/healthz does not answer with JSON"),
        ({"json": {"ready": True}}, 200, b"\xff\xfe", "/healthz does not answer with JSON"),
    ],
)
def test_ready_is_status_and_json(health: dict[str, Any], status: int, body: bytes, problem: str) -> None:
    response = ProbeResponse(status=status, headers={}, body=body)
    assert unready_because(HealthSettings.model_validate(health), response) == problem


@pytest.mark.parametrize(
    ("status", "restarting", "ended"),
    [("running", False, False), ("created", False, False), ("exited", False, True), ("restarting", True, True)],
)
def test_a_container_has_ended_when_it_exited_or_restarts(status: str, restarting: bool, ended: bool) -> None:
    assert has_ended({"State": {"Status": status, "Restarting": restarting}, "RestartCount": 1}) is ended


def test_a_request_from_inside_is_whole_http() -> None:
    request = ProbeRequest(method="POST", path="/predict?x=1", headers={"content-type": "text/plain"}, body=b"abc")
    head, _, body = as_bytes(request, {"Host": "shop.localhost"}).partition(b"\r\n\r\n")
    assert head.split(b"\r\n")[0] == b"POST /predict?x=1 HTTP/1.1"
    assert {b"Content-Type: text/plain", b"Host: shop.localhost", b"Content-Length: 3"} <= set(head.split(b"\r\n"))
    assert body == b"abc"


def test_a_chunked_answer_is_put_together() -> None:
    raw = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Shipper-Revision: shop-1\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    found = from_bytes(raw, "GET")
    assert (found.status, found.body, found.revision) == (200, b"abc", "shop-1")


@pytest.mark.parametrize("raw", [b"", b"garbage", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"])
def test_half_an_answer_is_none(raw: bytes) -> None:
    with pytest.raises(Transient, match="no answer"):
        from_bytes(raw, "GET")


OURS = State(
    route="shop.x", servers={"a": Server(address="10.0.0.9:80", weight=100), "b": Server(address="10.0.0.8:80")}
)


def live(found: dict[str, int], *, routed: bool = True) -> Live:
    return Live("id 3 0", "token", OURS, found, routed=routed)


@pytest.mark.parametrize(
    ("found", "routed", "drifts"),
    [
        ({"a": 100, "b": 0}, True, []),
        ({"a": 50, "b": 50}, True, [("weight of a", "100", "50"), ("weight of b", "0", "50")]),
        ({"a": 100}, True, [("weight of b", "0", "absent")]),
        ({"a": 100, "b": 0, "c": 1}, True, [("weight of c", "absent", "1")]),
        ({"a": 100, "b": 0}, False, [("route", "shop.x", "absent")]),
    ],
)
def test_drift_is_where_the_proxy_is_not_as_we_left_it(
    found: dict[str, int], routed: bool, drifts: list[tuple[str, str, str]]
) -> None:
    told = [(drift.field, drift.ours, drift.found) for drift in drift_of(live(found, routed=routed), OURS, [])]
    assert told == drifts


def test_a_host_without_anything_of_ours_has_no_drift() -> None:
    assert drift_of(None, None, []) == ()
    assert drift_of(Live("id 0 0"), State(route="shop.x"), []) == ()
