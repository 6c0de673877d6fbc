"""HTTP/1.1 over a socket, both roles, with h11: events in, events out."""

from __future__ import annotations

import contextlib
import socket
import time
from types import TracebackType
from typing import Any

import h11

_PIECE = 65536


class Wire:
    """A socket and what h11 knows of the conversation on it. A deadline is a time.monotonic()."""

    def __init__(self, connected: socket.socket, role: type[h11.CLIENT] | type[h11.SERVER]) -> None:
        self.http = h11.Connection(role, max_incomplete_event_size=_PIECE)
        self._socket = connected
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def receive(self, deadline: float) -> Any:
        """The next event. TimeoutError after the deadline, OSError and h11.RemoteProtocolError for a broken peer."""
        while (event := self.http.next_event()) is h11.NEED_DATA:
            if self.http.they_are_waiting_for_100_continue:
                self.send(h11.InformationalResponse(status_code=100, headers=[]), deadline)
            self._limit(deadline)
            self.http.receive_data(self._socket.recv(_PIECE))
        return event

    def send(self, event: Any, deadline: float) -> None:
        """Send one event."""
        data = self.http.send(event)
        if data:
            self._limit(deadline)
            self._socket.sendall(data)

    def linger(self) -> None:
        """Read what a refused client still sends, for a second: closing on it would take our answer away from it."""
        if self.http.their_state is not h11.SEND_BODY:
            return
        self._socket.shutdown(socket.SHUT_WR)
        deadline = time.monotonic() + 1
        with contextlib.suppress(OSError):
            while time.monotonic() < deadline:
                self._limit(deadline)
                if not self._socket.recv(_PIECE):
                    return

    def close(self) -> None:
        """Let go."""
        self._socket.close()

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _limit(self, deadline: float) -> None:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._socket.settimeout(left)
