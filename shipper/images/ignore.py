"""What .dockerignore keeps out of the build context, exactly as BuildKit judges it.

The meaning is that of github.com/moby/patternmatcher as tonistiigi/fsutil uses it, measured against a real
BuildKit (tests/integration/images/test_images_ignore_like_buildkit.py). The docker SDK's own matcher differs: it
ignores upper and lower case, and it always keeps the Dockerfile.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from shipper.errors import ConfigError

MAX_BYTES = 1 << 20
"""The largest ignore file that is read: one of this size has more lines than anybody wrote."""

_REGEX_SPECIAL = frozenset(".+()|{}$^")
_WILDCARDS = frozenset("*[]?^\\")


@dataclass(frozen=True)
class Rule:
    """One line. `exception` is a line that starts with `!`: it takes a path back in."""

    pattern: str
    exception: bool
    line: int
    matches: Callable[[str], bool] = field(repr=False, compare=False)

    @property
    def shown(self) -> str:
        """The line as it acts."""
        return f"!{self.pattern}" if self.exception else self.pattern


@dataclass(frozen=True)
class Judgement:
    """Whether a path is kept out, and which rules matched it: what its children are judged from."""

    excluded: bool
    matched: tuple[bool, ...]
    by: Rule | None = None


@dataclass(frozen=True)
class IgnoreRules:
    """The rules of one file, in order. `file` is its path, for messages; None when there is no such file."""

    rules: tuple[Rule, ...] = ()
    file: Path | None = None

    def judge(self, path: str, parent: Judgement | None = None) -> Judgement:
        """Judge one path (slashes, relative to the context) from the judgement of its directory."""
        excluded, by = False, None
        matched = [False] * len(self.rules)
        for index, rule in enumerate(self.rules):
            hit = parent is not None and parent.matched[index]
            if not hit:
                if rule.exception != excluded:
                    continue
                hit = rule.matches(path)
            matched[index] = hit
            if hit:
                excluded, by = not rule.exception, rule
        return Judgement(excluded, tuple(matched), by if excluded else None)

    def excluding(self, path: str) -> Rule | None:
        """The rule that keeps `path` out, judged from the top of the context down; None when it is sent."""
        judgement: Judgement | None = None
        parts = path.split("/")
        for end in range(1, len(parts) + 1):
            judgement = self.judge("/".join(parts[:end]), judgement)
        return judgement.by if judgement else None

    def may_keep_something_below(self, directory: str) -> bool:
        """Whether an exception may take back something inside an excluded directory: only then is it opened."""
        if any(self._is_wild(rule) for rule in self._exceptions):
            return True
        inside = f"{directory}/"
        return any(f"{_without_trailing_glob(rule.pattern)}/".startswith(inside) for rule in self._exceptions)

    @cached_property
    def _exceptions(self) -> tuple[Rule, ...]:
        return tuple(rule for rule in self.rules if rule.exception)

    @staticmethod
    def _is_wild(rule: Rule) -> bool:
        return bool(_WILDCARDS & set(_without_trailing_glob(rule.pattern)))


def read_rules(file: Path | None) -> IgnoreRules:
    """The rules of an ignore file; none when there is no file. Raises ConfigError for a pattern that is not one."""
    if file is None:
        return IgnoreRules()
    with file.open("rb") as stream:
        content = stream.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise ConfigError(f"{file.name} is larger than 1 MB", hint="keep whole directories out instead of each file")
    return parse_rules(content.decode("utf-8", "surrogateescape").removeprefix("\ufeff"), file)


def parse_rules(text: str, file: Path | None = None) -> IgnoreRules:
    """The rules in `text`. Comments start in the first column; white space around a pattern does not count."""
    found = (_parse_line(line, number, file) for number, line in enumerate(text.split("\n"), start=1))
    return IgnoreRules(tuple(rule for rule in found if rule is not None), file)


def _parse_line(line: str, number: int, file: Path | None) -> Rule | None:
    text = line.strip()
    if line.startswith("#") or not text:
        return None
    exception = text.startswith("!")
    pattern = text.removeprefix("!").strip()
    where = f"{file.name if file else 'ignore file'}:{number}"
    if not pattern:
        raise ConfigError(f'{where}: "!" is not a pattern', hint="write what is to be sent after the !")
    pattern = _clean(pattern)
    try:
        return Rule(pattern, exception, number, _matcher(pattern))
    except re.error as error:
        raise ConfigError(
            f"{where}: {pattern!r} is not a pattern: {error.msg}", hint=r"write \[ for a bracket in a file name"
        ) from error


def _clean(pattern: str) -> str:
    cleaned = posixpath.normpath(pattern)
    return cleaned.lstrip("/") or "/"


def _without_trailing_glob(pattern: str) -> str:
    return pattern.removesuffix("/**").removesuffix("/*")


def _matcher(pattern: str) -> Callable[[str], bool]:
    """How one pattern matches one whole path. Raises re.error."""
    if not any(character in "*?[]\\" for character in pattern):
        return pattern.__eq__
    expression = re.compile("".join(_translate(pattern)), re.DOTALL)
    return lambda path: expression.fullmatch(path) is not None


def _translate(pattern: str) -> Sequence[str]:
    pieces: list[str] = []
    at, inside = 0, False
    while at < len(pattern):
        character, rest = pattern[at], pattern[at + 1 :]
        at += 1
        if inside or character == "[":
            piece, taken, inside = _in_class(character, rest, opening=not inside)
        elif character == "*" and rest.startswith("*"):
            piece, taken = _double_star(rest[1:])
        elif character == "\\":
            piece, taken = _escaped(pattern, rest), 1
        else:
            piece, taken = _single(character), 0
        pieces.append(piece)
        at += taken
    if inside:
        raise re.error("a bracket is never closed", pattern)
    return pieces


def _in_class(character: str, rest: str, *, opening: bool) -> tuple[str, int, bool]:
    """One character of a class such as [a-z]: the expression, how much of `rest` it took, whether it goes on."""
    if opening:
        return ("[^", 1, True) if rest.startswith("^") else ("[", 0, True)
    if character == "]":
        return "]", 0, False
    if character == "\\" and rest:
        return re.escape(rest[0]), 1, True
    return (character if character == "-" else re.escape(character)), 0, True


def _double_star(rest: str) -> tuple[str, int]:
    """`**`, together with the slash after it: any number of directories, none too; everything at the very end."""
    slash = 1 if rest.startswith("/") else 0
    if not rest[slash:]:
        return ".*", 1 + slash
    return "(?:.*/)?", 1 + slash


def _escaped(pattern: str, rest: str) -> str:
    if not rest:
        raise re.error("nothing follows the last backslash", pattern)
    return re.escape(rest[0])


def _single(character: str) -> str:
    if character == "*":
        return "[^/]*"
    if character == "?":
        return "[^/]"
    return f"\\{character}" if character in _REGEX_SPECIAL else character
