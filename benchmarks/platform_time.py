"""How long a server on TCP was at work for a client: a forwarder in front of it that only looks at the clock.

    with PlatformTime("http://127.0.0.1:8085") as platform:
        ...  # the client asks platform.address
        covered(platform.spans)  # seconds in which at least one question was waiting for its answer

HTTP/1.1: from the first byte of a question to the last one of its answer. HTTP/2 (gRPC): from a stream's HEADERS to
the server's END_STREAM or RST_STREAM (RFC 9113, 4.1 and 6); acknowledgements, windows and pings are no question.
Connections inside TLS cannot be told apart; nothing here has any.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from types import TracebackType
from urllib.parse import urlsplit

_PIECE = 1 << 16
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_HEAD = 9
_DATA, _HEADERS, _RST_STREAM, _END_STREAM = 0, 1, 3, 0x1

Span = tuple[float, float]


def covered(spans: Iterable[Span]) -> float:
    """Seconds that lie in at least one of the spans."""
    total, until = 0.0, float("-inf")
    for start, end in sorted(spans):
        total += max(0.0, end - max(start, until))
        until = max(until, end)
    return total


@dataclass
class Frames:
    """One direction of an HTTP/2 connection: bytes in, whole frames out as (type, flags, stream)."""

    left: bytes = b""

    def of(self, piece: bytes) -> list[tuple[int, int, int]]:
        """The frames that end in this piece."""
        self.left += piece
        found = []
        while len(self.left) >= _HEAD:
            end = _HEAD + int.from_bytes(self.left[:3], "big")
            if len(self.left) < end:
                break
            found.append((self.left[3], self.left[4], int.from_bytes(self.left[5:9], "big") & 0x7FFFFFFF))
            self.left = self.left[end:]
        return found


@dataclass
class Exchange:
    """One connection: `asked` and `answered` take what passes, in order; `spans` is what it was about."""

    clock: Callable[[], float] = time.perf_counter
    spans: list[Span] = field(default_factory=list)
    _open: dict[int, float] = field(default_factory=dict)
    _start: bytes = b""
    _here: Frames | None = None
    _there: Frames = field(default_factory=Frames)
    _one: list[float] = field(default_factory=list)

    def asked(self, piece: bytes) -> None:
        """The client speaks."""
        if self._here is None and len(self._start) < len(_PREFACE) and _PREFACE.startswith(self._start):
            self._start += piece
            if self._start.startswith(_PREFACE):
                self._here, piece = Frames(), self._start[len(_PREFACE) :]
        if self._here is None:
            if len(self._one) != 1:  # an answer has come since: whatever was asked before is over
                self.settle()
                self._one = [self.clock()]
            return
        for kind, _, stream in self._here.of(piece):
            if kind == _HEADERS:
                self._open.setdefault(stream, self.clock())

    def answered(self, piece: bytes) -> None:
        """The server speaks."""
        if self._here is None:
            self._one[1:] = [self.clock()]
            return
        for kind, flags, stream in self._there.of(piece):
            last = kind == _RST_STREAM or (kind in (_DATA, _HEADERS) and flags & _END_STREAM)
            if last and stream in self._open:
                self.spans.append((self._open.pop(stream), self.clock()))

    def settle(self) -> None:
        """An HTTP/1.1 question whose answer is over becomes a span."""
        if len(self._one) == 2:
            self.spans.append((self._one[0], self._one[1]))
            self._one = []


class PlatformTime:
    """In front of one `http://HOST:PORT`, on a free port of loopback."""

    def __init__(self, url: str) -> None:
        there = urlsplit(url)
        assert there.hostname is not None, url
        assert there.port is not None, url
        self._there = (there.hostname, there.port)
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._exchanges: list[Exchange] = []
        self.port: int = self._listening.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> PlatformTime:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    @property
    def spans(self) -> list[Span]:
        """From questions to answers, by time.perf_counter(). To be read when the client has ended."""
        for exchange in self._exchanges:
            exchange.settle()
        return [span for exchange in self._exchanges for span in exchange.spans]

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                here, _ = self._listening.accept()
                there = socket.create_connection(self._there)
                exchange = Exchange()
                self._exchanges.append(exchange)
                for source, to, note in ((here, there, exchange.asked), (there, here, exchange.answered)):
                    source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    threading.Thread(target=_pump, args=(source, to, note), daemon=True).start()


def _pump(source: socket.socket, to: socket.socket, note: Callable[[bytes], None]) -> None:
    with contextlib.suppress(OSError):
        while piece := source.recv(_PIECE):
            note(piece)
            to.sendall(piece)
    with contextlib.suppress(OSError):
        to.shutdown(socket.SHUT_WR)
