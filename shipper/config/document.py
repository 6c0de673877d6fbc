"""Reading one configuration file: bounded, strict, and with a position for every key."""

from __future__ import annotations

import errno
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shipper.config.positions import MAX_DEPTH, KeyPath, Position, Positions, scan
from shipper.config.printable import hidden
from shipper.config.problem import ConfigProblem, ConfigProblems, file_name, problem
from shipper.config.regular import NotRegular, read_regular
from shipper.config.repository import inside, repository_of
from shipper.model.printable import looks_secret

SHIPPER_TOML = "shipper.toml"
PYPROJECT_TOML = "pyproject.toml"
MAX_BYTES = 256_000

_AT = re.compile(r"^(?P<what>.*) \(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)$", re.DOTALL)
_WINDOW = 80


@dataclass(frozen=True)
class Document:
    """shipper's own part of a file: the whole of shipper.toml, or `[tool.shipper]` of pyproject.toml (`prefix`)."""

    path: Path
    file: str
    table: Mapping[str, Any]
    positions: Positions
    prefix: KeyPath = ()
    on_disk: bool = True

    def position(self, path: KeyPath) -> Position | None:
        """Where the key is, else the closest table around it, else the start of the file; None without a file."""
        if not self.on_disk:
            return None
        return self.positions.nearest((*self.prefix, *path)) or Position(1, 1)

    def has(self, path: KeyPath) -> bool:
        """Whether the file itself has this key."""
        return (*self.prefix, *path) in self.positions.found


def read(path: Path) -> Document:
    """The document. Raises ConfigProblems with the reason when it cannot be read or is not valid TOML."""
    file = file_name(path)
    text = _text(path, file)
    positions = scan(text)
    if positions.too_deep is not None:
        raise ConfigProblems([_too_deep(file, positions.too_deep)])
    table = _parsed(text, positions, file)
    prefix: KeyPath = ("tool", "shipper") if path.name == PYPROJECT_TOML else ()
    for part in prefix:
        table = table.get(str(part), {}) if isinstance(table, Mapping) else {}
    if not isinstance(table, Mapping):
        raise ConfigProblems([problem(file, positions.nearest(prefix), prefix, "must be a table")])
    return Document(path=path, file=file, table=table, positions=positions, prefix=prefix)


def _text(path: Path, file: str) -> str:
    raw = _bytes(path, file)
    if raw.startswith(b"\xef\xbb\xbf"):
        raise _refused(file, "the file starts with a byte order mark", 'save it as "UTF-8 without BOM"')
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        column = error.start - (raw.rfind(b"\n", 0, error.start) + 1) + 1
        where = Position(line, column)
        raise _refused(file, "the file is not UTF-8 text", "save it as UTF-8", where) from error
    return text.replace("\r\n", "\n")


def _bytes(path: Path, file: str) -> bytes:
    """At most MAX_BYTES. A FIFO is not waited for, and a link may not lead out of the repository."""
    if not inside(repository_of(path.parent), path):
        raise _refused(file, "the file is a link that leads out of the repository", "put the file itself there")
    try:
        raw, _ = read_regular(path, MAX_BYTES)
    except NotRegular as error:
        raise _refused(file, "it is not a regular file", f"{SHIPPER_TOML} must be a plain text file") from error
    except (OSError, ValueError) as error:
        raise _refused(file, *_unreadable(error)) from error
    if len(raw) > MAX_BYTES:
        what = f"the file is larger than {MAX_BYTES // 1000} kB"
        raise _refused(file, what, "a configuration is small; move data into files of the image")
    return raw


def _unreadable(error: OSError | ValueError) -> tuple[str, str]:
    hints = {
        errno.ENOENT: "create it, or name another directory with -C",
        errno.EACCES: "give yourself the right to read it",
        errno.ELOOP: "the link leads back to itself; put the file itself there",
    }
    reason = str(getattr(error, "strerror", None) or error).lower()
    return f"the file cannot be read: {reason}", hints.get(
        getattr(error, "errno", None) or 0, "check the path and the file's rights"
    )


def _parsed(text: str, positions: Positions, file: str) -> Any:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigProblems([_syntax_problem(str(error), text, positions, file)]) from error
    except ValueError as error:  # int() refuses more digits than sys.get_int_max_str_digits()
        digits = re.search(r"[0-9][0-9_]{4000,}", text)
        line = text.count("\n", 0, digits.start()) + 1 if digits else None
        where = Position(line, 1) if line else None
        hint = "numbers go up to 64 bits; write longer ones in quotes"
        raise _refused(file, "a number has thousands of digits", hint, where) from error
    except RecursionError as error:
        raise ConfigProblems([_too_deep(file, Position(1, 1))]) from error


def _syntax_problem(message: str, text: str, positions: Positions, file: str) -> ConfigProblem:
    match = _AT.match(message)
    what = match["what"] if match else message
    lines = text.split("\n")
    where = Position(int(match["line"]), int(match["column"])) if match and match["line"] else _end(lines)
    at_end = match is not None and match["line"] is None
    hint = _NOT_CLOSED if at_end else _syntax_hint(what, where, positions, file)
    return problem(file, where, (), _sentence(what), hint=hint, excerpt=_excerpt(lines, where, positions))


def _end(lines: list[str]) -> Position:
    """The last line that has something on it."""
    number = next((n for n in range(len(lines), 0, -1) if lines[n - 1].strip()), 1)
    return Position(number, len(lines[number - 1]) + 1)


def _sentence(what: str) -> str:
    """tomllib's own words, in ours: `not valid TOML: unclosed array`."""
    return f"not valid TOML: {what[:1].lower()}{what[1:]}"


def _syntax_hint(what: str, where: Position, positions: Positions, file: str) -> str:
    if "overwrite" in what or "twice" in what or "namespace" in what or "mutate" in what:
        first = next((first for again, first in positions.repeated.items() if again.line == where.line), None)
        known = f", first on line {first.line}" if first else ""
        return f"a key or table is there twice{known}; keep one of them"
    for words, hint in _SYNTAX_HINTS.items():
        if words in what:
            return hint
    return f"correct the line; https://toml.io has the format of {Path(file).name}"


_NOT_CLOSED = "close what was opened: a list with ], a table with }, text with its quotes"
_SYNTAX_HINTS = {
    "Invalid value": 'write text in quotes, as in name = "value"; the truth values are true and false',
    "after a key": 'write key = "value"',
    "Invalid statement": "a line is key = value, [table], [[list of tables]] or # comment",
    "Illegal character": "remove the control character; inside quotes write it as an escape such as \\n",
    "Unescaped '\\'": "write \\\\ for a backslash, or use single quotes: 'C:\\path'",
    "Unclosed array": "close the list with ]",
    "Unterminated string": "close the text with the same quotes that opened it",
    "Expected newline": "one key = value a line; text goes in quotes",
}


def _excerpt(lines: list[str], where: Position, positions: Positions) -> tuple[str, ...]:
    """The line and a caret under the place; what may be a secret is cut off after the key."""
    line = lines[where.line - 1] if where.line <= len(lines) else ""
    if hidden(positions.last_before(where.line)) or looks_secret(line):
        return (_without_value(line) + "… (not shown)",)
    start = max(0, where.column - _WINDOW + 10)
    shown = "".join(char if char.isprintable() else "?" for char in line[start : start + _WINDOW])
    return (shown, " " * (where.column - 1 - start) + "^") if shown.strip() else ()


def _without_value(line: str) -> str:
    match = re.match(r"\s*[\[\w.\-]{0,60}\s*=", line)
    return match[0] + " " if match else ""


def _too_deep(file: str, where: Position) -> ConfigProblem:
    hint = "keep tables, lists and dotted keys shallow"
    return problem(file, where, (), f"nested more than {MAX_DEPTH} levels deep", hint=hint)


def _refused(file: str, what: str, hint: str, where: Position | None = None) -> ConfigProblems:
    return ConfigProblems([problem(file, where, (), what, hint=hint)])
