"""The identity services on an HTTP port of their own, for tests that need nothing else."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

from tests.rig.google.http import HttpAnswer, HttpRequest
from tests.rig.google.identity import Identity

Answering = Callable[[HttpRequest], HttpAnswer | None]


class Server(ThreadingHTTPServer):
    """Many clients begin at once."""

    request_queue_size = 128
    daemon_threads = True


def handler(answering: Answering) -> type[BaseHTTPRequestHandler]:
    """A handler class that reads a whole request and writes what `answering` says; None is 404."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # an answer in one piece: Nagle would add 40 ms to each
        disable_nagle_algorithm: ClassVar[bool] = True

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            pass

        def _any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            said = answering(HttpRequest(self.command, self.path, headers, body)) or HttpAnswer(404, b"Not Found", {})
            self.send_response(said.status)
            for name, value in said.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(said.body)))
            self.end_headers()
            self.wfile.write(said.body)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _any  # noqa: N815 - the base class's names

    return Handler


@contextmanager
def serving(identity: Identity, address: tuple[str, int] = ("127.0.0.1", 0)) -> Iterator[str]:
    """The base URL while it runs."""
    server = Server(address, handler(identity.answer))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://{server.server_address[0]!s}:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
