"""A port of this machine that takes connections, a thread for each, and hands their requests to a function."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable

import h11

from tests.rig.google.cloudrun import router_pages
from tests.rig.google.cloudrun.router_connection import Wire
from tests.rig.google.cloudrun.router_exchange import Broken
from tests.rig.google.cloudrun.router_pages import Page

_IDLE_SECONDS = 600.0  # how long a client may keep a connection without a request

Answer = Callable[[Wire, h11.Request, str], Page | None]
"""(the client, its request, its address) -> None when it was answered, else what to answer."""


class Listener:
    """A port on 127.0.0.1, open until `close`; connections that are open then end after their request."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._closed = threading.Event()
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.address = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        threading.Thread(target=self._accept, name=f"router {self.address}", daemon=True).start()

    def close(self) -> None:
        """Take no more connections."""
        self._closed.set()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
        self._socket.close()

    def _accept(self) -> None:
        while not self._closed.is_set():
            try:
                connected, (caller, _) = self._socket.accept()
            except OSError:
                if self._closed.is_set():
                    return
                raise
            threading.Thread(target=self._converse, args=(connected, caller), daemon=True).start()

    def _converse(self, connected: socket.socket, caller: str) -> None:
        with Wire(connected, h11.SERVER) as client, contextlib.suppress(OSError, Broken):
            try:
                while self._one(client, caller) and not self._closed.is_set():
                    client.http.start_next_cycle()
            except h11.RemoteProtocolError:
                if client.http.our_state is h11.IDLE:
                    send(client, router_pages.BAD_REQUEST)

    def _one(self, client: Wire, caller: str) -> bool:
        """One request and its answer; whether another may follow on this connection."""
        request = client.receive(time.monotonic() + _IDLE_SECONDS)
        if not isinstance(request, h11.Request):
            return False
        page = self._answer(client, request, caller) if _makes_sense(request) else router_pages.BAD_REQUEST
        if page is not None:
            send(client, page, bodiless=request.method == b"HEAD")
            client.linger()
        return client.http.our_state is h11.DONE and client.http.their_state is h11.DONE


def _makes_sense(request: h11.Request) -> bool:
    """A front end needs a host, which HTTP/1.0 may leave out, and is nobody's tunnel."""
    return b"host" in dict(request.headers) and request.method != b"CONNECT"


def send(client: Wire, page: Page, *, bodiless: bool = False) -> None:
    """Answer with a page. A request whose body was not read costs the connection."""
    deadline = time.monotonic() + 10
    headers = [*page.headers, ("content-length", str(len(page.body))), ("server", "Google Frontend")]
    client.send(h11.Response(status_code=page.status, headers=headers), deadline)
    if not bodiless:
        client.send(h11.Data(data=page.body), deadline)
    client.send(h11.EndOfMessage(), deadline)
