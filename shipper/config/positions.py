"""Where each key of a TOML text is: key path -> line and column.

tomllib gives values without positions. This scanner is lenient, because tomllib has the last word on what is valid;
on valid TOML it finds every key path (a property that the tests hold against tomllib). It runs before tomllib, in
linear time, and is the guard against what tomllib cannot bear: `[[[[…` ends in a RecursionError, and a dotted key of
60,000 parts takes it 61 s (measured, Python 3.11).
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

KeyPath = tuple[str | int, ...]

MAX_DEPTH = 32

_BLANK = re.compile(r"(?:[ \t\n]++|#[^\n]*+)*+")
_SPACE = re.compile(r"[ \t]*+")
_BARE_OR_QUOTED = re.compile(r"""[A-Za-z0-9_-]++|"(?:[^"\\\n]++|\\.)*+"|'[^'\n]*+'""")
_STRING = re.compile(
    r'"""(?:[^"\\]++|\\.|"(?!""))*+"{3,5}'
    r"|'''(?:[^']++|'(?!''))*+'{3,5}"
    r'|"(?:[^"\\\n]++|\\.)*+"'
    r"|'[^'\n]*+'",
    re.DOTALL,
)
_SCALAR = re.compile(r"[^,\]}#\n\"'\[{]++")


class Position(NamedTuple):
    """Line and column, both from 1; columns count characters."""

    line: int
    column: int


@dataclass(frozen=True)
class Positions:
    """What the scanner found. `too_deep` is where nesting passes MAX_DEPTH; nothing after it was looked at.

    `repeated` maps the place of a key or table header that was there before to its first place.
    """

    found: Mapping[KeyPath, Position]
    repeated: Mapping[Position, Position]
    too_deep: Position | None = None

    def nearest(self, path: KeyPath) -> Position | None:
        """The position of the path, or of the closest table around it."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.found:
                return self.found[path[:length]]
        return None

    def last_before(self, line: int) -> KeyPath:
        """The path whose value a line belongs to: the last one that starts on it or before it."""
        before = [(position, path) for path, position in self.found.items() if position.line <= line]
        return max(before, default=(Position(0, 0), ()), key=lambda item: item[0])[1]


def scan(text: str) -> Positions:
    """Every key path of a TOML text (line ends as \\n). Never raises: it stops where it no longer understands."""
    scanner = _Scanner(text)
    too_deep = None
    try:
        scanner.document()
    except _Stop as stop:
        too_deep = scanner.position(stop.offset) if stop.too_deep else None
    return Positions(
        found={path: scanner.position(offset) for path, offset in scanner.found.items()},
        repeated={scanner.position(again): scanner.position(first) for again, first in scanner.repeated.items()},
        too_deep=too_deep,
    )


class _Stop(Exception):
    def __init__(self, offset: int, *, too_deep: bool = False) -> None:
        super().__init__(offset)
        self.offset = offset
        self.too_deep = too_deep


class _Scanner:
    """A cursor over the text, and what was found so far as offsets."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.found: dict[KeyPath, int] = {}
        self.repeated: dict[int, int] = {}
        self._explicit: set[KeyPath] = set()
        self._counts: dict[KeyPath, int] = {}
        self._line_starts = [0, *(match.end() for match in re.finditer("\n", text))]

    def position(self, offset: int) -> Position:
        line = bisect_right(self._line_starts, offset)
        return Position(line, offset - self._line_starts[line - 1] + 1)

    def document(self) -> None:
        table: KeyPath = ()
        while True:
            self._skip(_BLANK)
            if self.at >= len(self.text):
                return
            table = self._header() if self.text[self.at] == "[" else self._pair(table)

    def _header(self) -> KeyPath:
        brackets = 2 if self.text.startswith("[[", self.at) else 1
        self.at += brackets
        parts = self._key()
        path: KeyPath = ()
        for name, offset in parts[:-1]:
            path = self._inside((*path, name), offset)
        name, offset = parts[-1]
        path = (*path, name)
        if brackets == 2:
            path = self._next_of_array(path, offset)
        else:
            self._explicitly(path, offset)
        self._expect("]" * brackets)
        return path

    def _inside(self, path: KeyPath, offset: int) -> KeyPath:
        """The table at `path`, or the latest one when it is an array of tables."""
        self._record(path, offset)
        return (*path, self._counts[path] - 1) if path in self._counts else path

    def _next_of_array(self, path: KeyPath, offset: int) -> KeyPath:
        index = self._counts.get(path, 0)
        self._counts[path] = index + 1
        self._record(path, offset)
        self._record((*path, index), offset)
        return (*path, index)

    def _pair(self, table: KeyPath) -> KeyPath:
        """One `key = value`; returns the table that it stands in."""
        path = table
        parts = self._key()
        for name, offset in parts[:-1]:
            path = (*path, name)
            self._record(path, offset)
        name, offset = parts[-1]
        path = (*path, name)
        self._explicitly(path, offset)
        self._expect("=")
        self._skip(_SPACE)
        self._value(path)
        return table

    def _key(self) -> list[tuple[str, int]]:
        parts: list[tuple[str, int]] = []
        while True:
            self._skip(_SPACE)
            match = _BARE_OR_QUOTED.match(self.text, self.at)
            if match is None:
                raise _Stop(self.at)
            parts.append((_unquoted(match[0]), self.at))
            if len(parts) > MAX_DEPTH:
                raise _Stop(parts[0][1], too_deep=True)
            self.at = match.end()
            self._skip(_SPACE)
            if not self.text.startswith(".", self.at):
                return parts
            self.at += 1

    def _value(self, path: KeyPath) -> None:
        opening = self.text[self.at : self.at + 1]
        if opening == "[":
            self._array(path)
        elif opening == "{":
            self._inline_table(path)
        else:
            match = (_STRING if opening in ("'", '"') else _SCALAR).match(self.text, self.at)
            if match is None:
                raise _Stop(self.at)
            self.at = match.end()

    def _array(self, path: KeyPath) -> None:
        self.at += 1
        index = 0
        while not self._closed("]"):
            self._record((*path, index), self.at)
            self._value((*path, index))
            index += 1
            self._separator("]")

    def _inline_table(self, path: KeyPath) -> None:
        self.at += 1
        while not self._closed("}"):
            self._pair(path)
            self._separator("}")

    def _closed(self, closing: str) -> bool:
        self._skip(_BLANK)
        if not self.text.startswith(closing, self.at):
            return False
        self.at += 1
        return True

    def _separator(self, closing: str) -> None:
        self._skip(_BLANK)
        if self.text.startswith(",", self.at):
            self.at += 1
        elif not self.text.startswith(closing, self.at):
            raise _Stop(self.at)

    def _record(self, path: KeyPath, offset: int) -> None:
        if len(path) > MAX_DEPTH:
            raise _Stop(offset, too_deep=True)
        self.found.setdefault(path, offset)

    def _explicitly(self, path: KeyPath, offset: int) -> None:
        """`[a]` says better than an earlier `[a.b]` where table a is."""
        self._record(path, offset)
        if path in self._explicit:
            self.repeated[offset] = self.found[path]
            return
        self._explicit.add(path)
        self.found[path] = offset

    def _skip(self, pattern: re.Pattern[str]) -> None:
        match = pattern.match(self.text, self.at)
        if match is not None:
            self.at = match.end()

    def _expect(self, symbol: str) -> None:
        if not self.text.startswith(symbol, self.at):
            raise _Stop(self.at)
        self.at += len(symbol)


def _unquoted(part: str) -> str:
    if part[0] == "'":
        return part[1:-1]
    if part[0] != '"':
        return part
    if "\\" not in part:
        return part[1:-1]
    try:
        return next(iter(tomllib.loads(f"{part} = 0")))
    except ValueError:
        return part
