"""How long the engine was at work for somebody: a forwarder in front of its socket that only looks at the clock."""

from __future__ import annotations

import contextlib
import socket
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

_PIECE = 1 << 16


@dataclass
class _Exchange:
    """One connection: from the client's first byte to the answer's last, again and again."""

    spans: list[tuple[float, float]] = field(default_factory=list)
    asked: float | None = None
    answered: float | None = None

    def from_client(self) -> None:
        """The client speaks: whatever was answered before is over."""
        if self.asked is not None and self.answered is not None:
            self.spans.append((self.asked, self.answered))
            self.asked = None
        if self.asked is None:
            self.asked, self.answered = time.perf_counter(), None

    def from_engine(self) -> None:
        """The engine speaks."""
        self.answered = time.perf_counter()

    def all(self) -> list[tuple[float, float]]:
        """Every span from a question to its answer."""
        last = [(self.asked, self.answered)] if self.asked is not None and self.answered is not None else []
        return [*self.spans, *last]


class EngineTime:
    """`with EngineTime(docker_host) as engine`: use `engine.address` as DOCKER_HOST, then read `engine.busy`."""

    def __init__(self, docker_host: str) -> None:
        self._there = docker_host.removeprefix("unix://")
        self._folder = tempfile.TemporaryDirectory(prefix="engine-time")
        self._path = Path(self._folder.name) / "docker.sock"
        self._listening = socket.socket(socket.AF_UNIX)
        self._exchanges: list[_Exchange] = []
        self.address = f"unix://{self._path}"

    def __enter__(self) -> EngineTime:
        self._listening.bind(str(self._path))
        self._listening.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._listening.close()
        self._folder.cleanup()

    @property
    def busy(self) -> float:
        """Seconds in which at least one question was waiting for its answer."""
        total, until = 0.0, 0.0
        for start, end in sorted(span for exchange in self._exchanges for span in exchange.all()):
            total += max(0.0, end - max(start, until))
            until = max(until, end)
        return total

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                here, _ = self._listening.accept()
                there = socket.socket(socket.AF_UNIX)
                there.connect(self._there)
                exchange = _Exchange()
                self._exchanges.append(exchange)
                for pump in ((here, there, exchange.from_client), (there, here, exchange.from_engine)):
                    threading.Thread(target=_pump, args=pump, daemon=True).start()


def _pump(source: socket.socket, to: socket.socket, note: object) -> None:
    assert callable(note)
    with contextlib.suppress(OSError):
        while piece := source.recv(_PIECE):
            note()
            to.sendall(piece)
    with contextlib.suppress(OSError):
        to.shutdown(socket.SHUT_WR)
