"""A proxy in front of an object store that loses requests, answers and patience, by a seed.

    with faulty(store, seed=7, share=0.5) as way:
        way.store.environ ... way.faults      # what became of the requests

What can go wrong with a request: refused before the store sees it (503), the connection dropped before it, the answer
dropped after the store carried it out, a 503 after the store carried it out, and an answer that comes late.
"""

from __future__ import annotations

import collections
import contextlib
import http.client
import random
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from tests.rig.stores import RunningStore

FAULTS = ("refused before", "dropped before", "dropped after", "refused after", "late")
_LATE = 0.2
_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length"})


@dataclass
class Way:
    """How to reach the store through the proxy, and what happened so far."""

    store: RunningStore
    faults: collections.Counter[str] = field(default_factory=collections.Counter)
    methods: collections.Counter[str] = field(default_factory=collections.Counter)


@contextlib.contextmanager
def faulty(store: RunningStore, *, seed: int, share: float, only: tuple[str, ...] = FAULTS) -> Iterator[Way]:
    """A way to the store on which about `share` of the requests meet one of the faults."""
    chance, lock = random.Random(seed), threading.Lock()
    upstream = urlsplit(store.endpoint).netloc
    faults: collections.Counter[str] = collections.Counter()
    methods: collections.Counter[str] = collections.Counter()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # an answer in one piece: Nagle would add 40 ms to each
        disable_nagle_algorithm = True

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            pass

        def handle_request(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            with lock:
                fault = chance.choice(only) if chance.random() < share else "none"
                faults[fault] += 1
                methods["LIST" if "prefix=" in self.path or "list-type=" in self.path else self.command] += 1
            if fault == "refused before":
                return self._send(503, b"<Error><Code>SlowDown</Code></Error>", {})
            if fault == "dropped before":
                return self._drop()
            status, headers, answer = self._forward(body)
            if fault == "dropped after":
                return self._drop()
            if fault == "refused after":
                return self._send(503, b"<Error><Code>InternalError</Code></Error>", {})
            if fault == "late":
                time.sleep(_LATE)
            return self._send(status, answer, headers)

        do_GET = do_HEAD = do_PUT = do_DELETE = handle_request  # noqa: N815 - the base class's names

        def _forward(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
            connection = http.client.HTTPConnection(upstream, timeout=30)
            with contextlib.closing(connection):
                connection.request(self.command, self.path, body, dict(self.headers))
                answer = connection.getresponse()
                headers = {name: value for name, value in answer.getheaders() if name.lower() not in _HOP}
                return answer.status, headers, answer.read()

        def _drop(self) -> None:
            self.close_connection = True

        def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

    class Server(ThreadingHTTPServer):
        request_queue_size = 128
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """A client that gave up is what this is about."""

    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield Way(store.through(f"http://127.0.0.1:{server.server_address[1]}"), faults, methods)
    finally:
        server.shutdown()
        server.server_close()
