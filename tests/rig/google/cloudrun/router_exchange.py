"""One request, passed on to a container, and its answer, passed back piece by piece.

Each request has a connection of its own to the container: none can fail because an idle one went stale, and none is
ever tried again. The body goes first and whole, then the answer is read; a container that answers early is heard.
Not passed on: upgrades (WebSockets), HTTP/2, trailers.
"""

from __future__ import annotations

import secrets
import socket
import time
from typing import Any

import h11

from tests.rig.google.cloudrun import router_pages
from tests.rig.google.cloudrun.router_connection import Wire
from tests.rig.google.cloudrun.router_pages import Page

_HOP_BY_HOP = frozenset({b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"upgrade", b"expect"})
_FRAMING = frozenset({b"content-length", b"transfer-encoding"})
_CONNECT_SECONDS = 10.0

Headers = list[tuple[bytes, bytes]]


class Broken(Exception):
    """The answer had begun and did not end: the client's connection must be cut, so that it notices."""


def forward(client: Wire, request: h11.Request, address: tuple[str, int], caller: str, seconds: float) -> Page | int:
    """Pass a request on; the status that the container answered with, else the page to answer with instead."""
    deadline = time.monotonic() + seconds
    trace = secrets.token_hex(16)
    begun = False
    try:
        with _connect(address, deadline) as container:
            _pass_request(client, container, request, caller, trace, deadline)
            answer = _answer(container, deadline)
            begun = True
            client.send(_response(answer, trace), deadline)
            _pass_body(container, client, deadline)
            return answer.status_code
    except TimeoutError as error:
        return _failed(router_pages.TIMEOUT, begun, error)
    except OSError as error:
        return _failed(router_pages.CONNECTION_ERROR, begun, error)
    except h11.RemoteProtocolError as error:
        return _failed(router_pages.MALFORMED, begun, error)


def trace_header(trace: str) -> tuple[bytes, bytes]:
    """https://cloud.google.com/trace/docs/trace-context: the real front end adds it to requests and answers."""
    return b"x-cloud-trace-context", f"{trace}/{int(trace[:15], 16)};o=1".encode()


def _failed(page: Page, begun: bool, error: Exception) -> Page:
    if begun:
        raise Broken from error
    return page


def _connect(address: tuple[str, int], deadline: float) -> Wire:
    left = max(0.001, min(_CONNECT_SECONDS, deadline - time.monotonic()))
    try:
        return Wire(socket.create_connection(address, timeout=left), h11.CLIENT)
    except TimeoutError as error:
        if time.monotonic() < deadline:
            raise ConnectionError("the container does not accept connections") from error
        raise


def _pass_request(
    client: Wire, container: Wire, request: h11.Request, caller: str, trace: str, deadline: float
) -> None:
    headers: Headers = [
        *((name, value) for name, value in request.headers if name not in _HOP_BY_HOP and name != b"x-forwarded-proto"),
        (b"x-forwarded-for", caller.encode()),
        (b"x-forwarded-proto", b"https"),  # what containers see: the real front end ends TLS
        (b"traceparent", f"00-{trace}-{trace[:16]}-01".encode()),
        trace_header(trace),
    ]
    passed = h11.Request(method=request.method, target=request.target, headers=headers)
    listens = _send(container, passed, deadline)
    while not isinstance(event := client.receive(deadline), h11.EndOfMessage):
        listens = listens and _send(container, event, deadline)
    if listens:
        _send(container, h11.EndOfMessage(), deadline)


def _send(container: Wire, event: Any, deadline: float) -> bool:
    """Whether the container still listens; one that does not may have answered already."""
    try:
        container.send(event, deadline)
    except (BrokenPipeError, ConnectionResetError):
        return False
    return True


def _answer(container: Wire, deadline: float) -> h11.Response:
    while not isinstance(event := container.receive(deadline), h11.Response):
        if isinstance(event, h11.ConnectionClosed):
            raise ConnectionError("the container closed the connection without an answer")
    return event


def _response(answer: h11.Response, trace: str) -> h11.Response:
    kept = [(name, value) for name, value in answer.headers if name not in _HOP_BY_HOP and name != b"server"]
    headers = [*kept, trace_header(trace), (b"server", b"Google Frontend")]
    return h11.Response(status_code=answer.status_code, reason=answer.reason, headers=headers)


def _pass_body(container: Wire, client: Wire, deadline: float) -> None:
    event: Any
    while not isinstance(event := container.receive(deadline), h11.EndOfMessage):
        client.send(h11.Data(data=event.data), deadline)
    client.send(h11.EndOfMessage(), deadline)
