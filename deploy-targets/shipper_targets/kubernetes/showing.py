"""A value of an object as people may see it: never a secret's, nor that of anything called like one. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from shipper.model.printable import has_credentials, looks_secret, printable

HIDDEN = "(not shown)"
LONGEST = 200

_DATA = ("data", "stringData", "binaryData")
_ANY_NAME = ("env", "httpHeaders")
_NAMES_ONE = ("secretName",)
"""Members that say which Secret is meant, not what is in it. Nor are labels, which are short names."""

_LINES = ("args", "command")
_WORD = re.compile(r"(?:args|command)\[[0-9]+\]")
_OURS = "shipper.dev/"
"""Our annotations have hashes and versions."""


def shown(path: Sequence[str], value: Any, *, secret: bool = False, after: Any = "") -> str:
    """On one line. `path`: members from the object on; of a list `env[NAME]`, or `env` and then `NAME`. `secret`: the
    object is a Secret. `after`: of one word of a command the word before it.
    """
    if isinstance(value, str) and path and _WORD.fullmatch(path[-1]):
        seen: Any = _word(path, value, str(after))
    else:
        seen = _redacted(tuple(path), value, secret)
    return printable(seen if isinstance(seen, str) else json.dumps(seen, sort_keys=True), LONGEST)


def _redacted(path: tuple[str, ...], value: Any, secret: bool) -> Any:
    if value is None or (secret and path[:1] and path[0] in _DATA):
        return value if value is None else HIDDEN
    if isinstance(value, Mapping):
        named = value.get("name")
        if "value" in value and isinstance(named, str):
            path = (*path, named)
        return {key: _redacted((*path, str(key)), one, secret) for key, one in value.items()}
    if isinstance(value, list | tuple):
        if path[-1:] and path[-1] in _LINES:
            return [_word(path, str(one), str(before)) for before, one in zip(("", *value), value, strict=False)]
        return [_redacted(path, one, secret) for one in value]
    return HIDDEN if _hides(path, value) else value


def _word(path: Sequence[str], word: str, before: str) -> str:
    """Of a command; after `--api-key` it is that key."""
    is_value = before.startswith("-") and "=" not in before and looks_secret(before) and not word.startswith("-")
    # Words may have several values, such as `sh -c` or `--set=db.password=…` have.
    return HIDDEN if is_value or ("=" in word and looks_secret(word)) or _hides(tuple(path), word) else word


def _hides(path: tuple[str, ...], value: Any) -> bool:
    if has_credentials(str(value)):
        return True
    if path[:1] and path[0] in _DATA:
        return path[-1].isdecimal() or looks_secret(path[-1])
    if path[-1:] == ("value",):
        within, name = _pair(path)
        # What is known by its position only may be any.
        return looks_secret(name) or (name.isdecimal() and within in _ANY_NAME)
    if not isinstance(value, str):
        return False
    option, is_set, _ = value.partition("=")  # such as --api-key=…, PASSWORD=…
    if is_set and looks_secret(option):
        return True
    last = path[-1] if path[-2:-1] != ("labels",) else ""
    return looks_secret(last) and last not in _NAMES_ONE and not last.startswith(_OURS)


def _pair(path: tuple[str, ...]) -> tuple[str, str]:
    """Of the path of a pair's value: what its list is called, and its name."""
    within, bracket, name = path[-2].partition("[") if len(path) > 1 else ("", "", "")
    return (within, name.removesuffix("]")) if bracket else (path[-3] if len(path) > 2 else "", within)
