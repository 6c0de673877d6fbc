"""A value of an object as people may see it: never a secret's, a variable's or an option's called like one. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from shipper.model.printable import has_credentials, looks_secret, printable

HIDDEN = "(not shown)"
LONGEST = 200

_DATA = ("data", "stringData", "binaryData")


_LINES = ("args", "command")
_WORD = re.compile(r"(?:args|command)\[[0-9]+\]")


def shown(path: Sequence[str], value: Any, *, secret: bool = False, after: Any = "") -> str:
    """On one line. `path`: members from the object on; of a list `env[NAME]`, or `env` and then `NAME`. `secret`: the
    object is a Secret. `after`: of one word of a command the word before it.
    """
    if isinstance(value, str) and path and _WORD.fullmatch(path[-1]):
        seen: Any = _word(value, str(after))
    else:
        seen = _redacted(tuple(path), value, secret)
    return printable(seen if isinstance(seen, str) else json.dumps(seen, sort_keys=True), LONGEST)


def _redacted(path: tuple[str, ...], value: Any, secret: bool) -> Any:
    if value is None or (secret and path[:1] and path[0] in _DATA):
        return value if value is None else HIDDEN
    if isinstance(value, Mapping):
        named = value.get("name")
        if path[-1:] == ("env",) and isinstance(named, str):
            path = (*path, named)
        return {key: _redacted((*path, str(key)), one, secret) for key, one in value.items()}
    if isinstance(value, list | tuple):
        if path[-1:] and path[-1] in _LINES:
            return [_word(str(one), str(before)) for before, one in zip(("", *value), value, strict=False)]
        return [_redacted(path, one, secret) for one in value]
    variable = _variable(path)
    if variable is None:
        return HIDDEN if isinstance(value, str) and has_credentials(value) else value
    # A variable that is known by its position only may be any.
    hides = variable.isdecimal() or looks_secret(variable) or has_credentials(str(value))
    return HIDDEN if hides else value


def _word(word: str, before: str) -> str:
    """An argument after `--api-key` is that key."""
    is_value = before.startswith("-") and "=" not in before and looks_secret(before) and not word.startswith("-")
    return HIDDEN if is_value or ("=" in word and looks_secret(word)) or has_credentials(word) else word


def _variable(path: tuple[str, ...]) -> str | None:
    """The name of the variable whose value this is: of a container, or a ConfigMap's member."""
    if path[:1] and path[0] in _DATA:
        return path[-1]
    for index, part in enumerate(path[:-1]):
        if path[-1] == "value" and (part == "env" or part.startswith("env[")):
            return path[index + 1] if part == "env" else part[4:-1]
    return None
