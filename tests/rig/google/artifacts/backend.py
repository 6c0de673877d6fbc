"""The registry behind the front: requests are handed on with their bodies in a stream, answers likewise."""

from __future__ import annotations

import http.client
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler

BLOCK = 1 << 18
_PASSED_ON = ("accept", "content-type", "content-range", "range", "if-none-match")
_PASSED_BACK = (
    *("content-type", "docker-content-digest", "docker-upload-uuid", "etag", "range", "content-range"),
    *("accept-ranges", "oci-subject", "link"),
)


class Streaming(BaseHTTPRequestHandler):
    """A handler that knows whether the body of the request at hand was begun to be read."""

    body_taken = False


class Backend:
    """An OCI registry on loopback that lets everybody in."""

    def __init__(self, address: str) -> None:
        self._address = address

    def ask(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, dict[str, str], bytes]:
        """A small request and its whole answer."""
        connection = http.client.HTTPConnection(self._address, timeout=60)
        try:
            connection.request(method, path, body, {name: headers[name] for name in _PASSED_ON if name in headers})
            said = connection.getresponse()
            return said.status, {name.lower(): value for name, value in said.getheaders()}, said.read()
        finally:
            connection.close()

    def forward(self, handler: Streaming, path: str, prefix: str) -> None:
        """Carry a request out and its answer back; `prefix` is what addresses in the answer have too much."""
        connection = http.client.HTTPConnection(self._address, timeout=600)
        try:
            connection.putrequest(handler.command, path, skip_accept_encoding=True)
            for name in _PASSED_ON:
                if value := handler.headers.get(name):
                    connection.putheader(name, value)
            _send_body(handler, connection)
            _answer(handler, connection.getresponse(), prefix)
        finally:
            connection.close()


def body_of(handler: Streaming) -> Iterator[bytes]:
    """A request's body, of a given length or in chunks (RFC 9112 section 7.1)."""
    handler.body_taken = True
    if handler.headers.get("Transfer-Encoding", "").lower() == "chunked":
        yield from _chunks(handler)
        return
    left = int(handler.headers.get("Content-Length") or 0)
    while left > 0:
        block = handler.rfile.read(min(left, BLOCK))
        if not block:
            raise ConnectionError("the client left in the middle of a body")
        left -= len(block)
        yield block


def _chunks(handler: Streaming) -> Iterator[bytes]:
    while size := _chunk_size(handler.rfile.readline()):
        yield handler.rfile.read(size)
        handler.rfile.readline()
    while handler.rfile.readline().strip():
        pass  # trailers


def _chunk_size(line: bytes) -> int:
    if not line:
        raise ConnectionError("the client left in the middle of a body")
    return int(line.partition(b";")[0], 16)


def _send_body(handler: Streaming, connection: http.client.HTTPConnection) -> None:
    if handler.headers.get("Transfer-Encoding", "").lower() == "chunked":
        connection.putheader("Transfer-Encoding", "chunked")
        connection.endheaders(body_of(handler), encode_chunked=True)
        return
    if handler.command in ("POST", "PUT", "PATCH"):
        connection.putheader("Content-Length", handler.headers.get("Content-Length") or "0")
    connection.endheaders(body_of(handler))


def _answer(handler: Streaming, said: http.client.HTTPResponse, prefix: str) -> None:
    handler.send_response(said.status)
    for name in _PASSED_BACK:
        if value := said.getheader(name):
            handler.send_header(name, value.replace(prefix, "", 1))
    if location := said.getheader("Location"):
        handler.send_header("Location", location.replace(prefix, "", 1))
    handler.send_header("Docker-Distribution-Api-Version", "registry/2.0")
    if said.status not in (204, 304):
        handler.send_header("Content-Length", said.getheader("Content-Length") or "0")
    handler.end_headers()
    while block := said.read(BLOCK):
        handler.wfile.write(block)
