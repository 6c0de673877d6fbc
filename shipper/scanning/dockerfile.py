"""ARG and ENV of a Dockerfile, with line numbers: as much of the syntax as that needs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_DIRECTIVE = re.compile(r"#\s*escape\s*=\s*(\S)\s*", re.IGNORECASE)
_HEREDOC = re.compile(r"<<(-?)(['\"]?)([A-Za-z_]\w*)\2")
_WORD = re.compile(r"""([A-Za-z_][\w.-]*)=((?:"(?:\\.|[^"\\])*"|'[^']*'|\\.|[^\s"'\\])*)""", re.DOTALL)
_IGNORE = re.compile(r"(?i)(trivy|tfsec|cfsec)\s*:\s*ignore")


@dataclass(frozen=True)
class Assignment:
    """`ARG NAME=value` or `ENV NAME=value`; line 0 when it is not from the Dockerfile."""

    keyword: str
    name: str
    value: str
    line: int


def assignments(text: str) -> Iterator[Assignment]:
    """Every ARG with a default and every ENV."""
    for line, instruction in instructions(text):
        keyword, _, rest = instruction.partition(" ")
        if keyword.upper() not in ("ARG", "ENV"):
            continue
        words = list(_WORD.finditer(rest))
        for word in words:
            yield Assignment(keyword.upper(), word[1], _unquoted(word[2]), line)
        if keyword.upper() == "ENV" and not words:  # the old form: ENV NAME the rest of the line
            name, _, value = rest.strip().partition(" ")
            yield Assignment("ENV", name, _unquoted(value.strip()), line)


def instructions(text: str) -> Iterator[tuple[int, str]]:
    """(line number, instruction in one line), without comments and here-documents."""
    escape = _escape_of(text)
    lines = iter(enumerate(text.splitlines(), start=1))
    for number, line in lines:
        joined = line.strip()
        if not joined or joined.startswith("#"):
            continue
        while joined.endswith(escape):
            following = _next_part(lines)
            joined = joined[:-1] + " " + (following or "")
            if following is None:
                break
        yield number, re.sub(r"\s+", " ", joined, count=1)
        _skip_heredocs(joined, lines)


def without_ignores(text: str) -> str:
    """The same Dockerfile, line for line, without words that tell a scanner what to ignore.

    Trivy takes them from comments and from any continued line (measured), not only where Docker sees a comment.
    """
    return _IGNORE.sub(r"\1 ignored", text)


def _escape_of(text: str) -> str:
    for line in text.splitlines():
        if not line.lstrip().startswith("#"):
            break
        if match := _DIRECTIVE.fullmatch(line.strip()):
            return match[1]
    return "\\"


def _next_part(lines: Iterator[tuple[int, str]]) -> str | None:
    """The next line of an instruction: comments and empty lines between do not end it."""
    for _, line in lines:
        if line.strip() and not line.lstrip().startswith("#"):
            return line.strip()
    return None


def _skip_heredocs(instruction: str, lines: Iterator[tuple[int, str]]) -> None:
    if instruction.split(" ", 1)[0].upper() not in ("RUN", "COPY", "ADD"):
        return
    for match in _HEREDOC.finditer(instruction):
        for _, line in lines:
            if (line.strip("\t") if match[1] else line) == match[3]:
                break


def _unquoted(value: str) -> str:
    if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
        return value[1:-1]
    return value
