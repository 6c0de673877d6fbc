"""gRPC and HTTP/1.1 on one TCP port: an HTTP/2 preface goes to the gRPC server, everything else to the HTTP server.

So that one `endpoint = "http://127.0.0.1:PORT"` serves both transports of a client. The gRPC server listens on a Unix
socket; its connections are relayed byte by byte.
"""

from __future__ import annotations

import socket
import threading
from pathlib import Path
from typing import Protocol

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


class TakesSockets(Protocol):
    """An HTTP server that is given connections, such as socketserver.ThreadingMixIn's."""

    def process_request(self, request: socket.socket, client_address: tuple[str, int]) -> None: ...


class OnePort:
    """Listens on 127.0.0.1; `port` 0 takes a free one."""

    def __init__(self, http: TakesSockets, grpc_socket: Path, port: int = 0) -> None:
        self._http, self._grpc_socket = http, grpc_socket
        self._listener = socket.create_server(("127.0.0.1", port), backlog=256)
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)

    def _accept(self) -> None:
        while True:
            try:
                connection, address = self._listener.accept()
            except OSError:
                return  # closed
            threading.Thread(target=self._hand_on, args=(connection, address), daemon=True).start()

    def _hand_on(self, connection: socket.socket, address: tuple[str, int]) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        start = _start(connection)
        if start == _PREFACE:
            self._relay(connection)
        elif start:
            self._http.process_request(connection, address)
        else:
            connection.close()

    def _relay(self, client: socket.socket) -> None:
        server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        server.connect(str(self._grpc_socket))
        back = threading.Thread(target=_copy, args=(server, client), daemon=True)
        back.start()
        _copy(client, server)
        back.join()
        client.close()
        server.close()


def _start(connection: socket.socket) -> bytes:
    """What a connection begins with, left in it: the preface, other bytes, or nothing when it ended."""
    seen = b""
    while len(seen) < len(_PREFACE):
        try:
            # WAITALL with PEEK blocks for as many as are asked: one more than seen, until it cannot be the preface.
            now = connection.recv(len(seen) + 1, socket.MSG_PEEK | socket.MSG_WAITALL)
        except OSError:
            return b""
        if len(now) == len(seen) or not _PREFACE.startswith(now):
            return now if len(now) > len(seen) else b""
        seen = now
    return seen


def _copy(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        for end in (source, target):  # one side is gone: the other must not wait for it
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue
