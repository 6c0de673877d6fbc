"""The last lines of an output of any length, in bounded memory."""

from __future__ import annotations

import codecs
from collections import deque

MAX_LINE = 1 << 20
"""Characters: a longer line is handed on in pieces (BuildKit's raw JSON lines stay well below)."""

MAX_KEPT = 16 << 20
"""Characters kept in all, whatever number of lines was asked for."""


class Tail:
    """Takes bytes, gives whole lines, keeps the last `keep` of them as they came."""

    def __init__(self, keep: int) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._open = ""
        self._kept: deque[str] = deque()
        self._size = 0
        self._keep = keep
        self.dropped = 0

    def feed(self, chunk: bytes, *, final: bool = False) -> list[str]:
        """The lines that `chunk` completes, without their line ends; with `final` also the unfinished last one."""
        *pieces, rest = (self._open + self._decoder.decode(chunk, final)).split("\n")
        lines = [piece + "\n" for piece in pieces]
        while len(rest) > MAX_LINE or (final and rest):
            lines.append(rest[:MAX_LINE])
            rest = rest[MAX_LINE:]
        self._open = rest
        for line in lines:
            self._remember(line)
        return [line.rstrip("\r\n") for line in lines]

    def text(self) -> str:
        """What was kept, exactly as it came."""
        return "".join(self._kept)

    def _remember(self, line: str) -> None:
        self._kept.append(line)
        self._size += len(line)
        while self._kept and (len(self._kept) > self._keep or self._size > MAX_KEPT):
            self._size -= len(self._kept.popleft())
            self.dropped += 1
