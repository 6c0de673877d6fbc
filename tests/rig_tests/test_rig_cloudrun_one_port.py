"""One port for two protocols: who connects is told apart by the first bytes, however they come."""

from __future__ import annotations

import socket

import pytest

from tests.rig.google.clients import Calls
from tests.rig.google.server import Google

pytestmark = pytest.mark.unit


def connected(google: Google) -> socket.socket:
    return socket.create_connection(("127.0.0.1", google.port), timeout=10)


def test_a_request_that_comes_byte_by_byte_is_answered(google: Google) -> None:
    request = b"POST /rig/status HTTP/1.1\r\nHost: rig\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"
    with connected(google) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in request:
            client.send(bytes([byte]))
        assert client.recv(12) == b"HTTP/1.1 200"


def test_a_method_that_begins_like_the_preface_is_http(google: Google) -> None:
    with connected(google) as client:
        client.sendall(b"PRINT /rig/status HTTP/1.1\r\nHost: rig\r\n\r\n")
        assert client.recv(12) == b"HTTP/1.1 501"


def test_one_that_says_nothing_and_goes_away_harms_nobody(google: Google) -> None:
    for start in (b"", b"PRI * HT"):
        with connected(google) as client:
            client.sendall(start)
    assert list(Calls(google.url, "grpc").services.list_services(parent="projects/p/locations/l")) == []


def test_both_transports_see_the_same_state(google: Google) -> None:
    made = Calls(google.url, "grpc").create("shop", "web-1", annotations={"long": "x" * 200_000})
    assert Calls(google.url, "rest").get().annotations == made.annotations
    assert Calls(google.url, "rest").get().etag == made.etag
