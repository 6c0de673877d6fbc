"""Values of a configuration as an error message may show them: short, with their type, and never a secret."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from typing import Any

from shipper.config.positions import KeyPath
from shipper.model.printable import SECRET_WORDS, SHORT, has_credentials, printable

# The values of these are the user's own and often sensitive (a password in DATABASE_URL): never shown in an error.
_PRIVATE_TABLES = {"env", "build_args", "secrets", "headers", "cache_from", "cache_to"}


def shown(value: Any) -> str:
    """A value as a person would write it, at most SHORT characters, with its type where that is in doubt."""
    if isinstance(value, str):
        return f'"{printable(value, SHORT - 2)}"'
    if isinstance(value, Mapping):
        return "a table"
    if isinstance(value, list | tuple):
        return "a list" if value else "an empty list"
    return printable(_scalar(value))


def kind_of(value: Any) -> str:
    """The TOML type of a value, in plain words."""
    for kind, words in _KINDS:
        if isinstance(value, kind):
            return words
    return type(value).__name__


def found(path: KeyPath, value: Any) -> str:
    """`"8080" (text)`; for what may be a secret only `text (not shown)`."""
    kind = kind_of(value)
    if isinstance(value, Mapping | list | tuple):
        return shown(value)
    if hidden(path, value):
        return f"{kind} (not shown)"
    if isinstance(value, bool):
        return shown(value)
    return f"{shown(value)} ({kind})"


def hidden(path: KeyPath, value: Any = None) -> bool:
    """Whether the value at this key must not be shown."""
    names = [part for part in path if isinstance(part, str)]
    if any(name in _PRIVATE_TABLES or SECRET_WORDS.search(name) for name in names):
        return True
    return isinstance(value, str) and has_credentials(value)


def dotted(path: KeyPath) -> str:
    """`run.volumes[2].source`; a part that is no bare key is quoted."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += ("." if text else "") + _part(part)
    return text


def _part(name: str) -> str:
    short = printable(name, 40)
    return short if re.fullmatch(r"[A-Za-z0-9_-]+…?", short) else f'"{short}"'


def _scalar(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and abs(value) >= 10**SHORT:
        return f"a number of {value.bit_length()} bits"
    return str(value)


_KINDS: tuple[tuple[type, str], ...] = (
    (bool, "true or false"),
    (str, "text"),
    (int, "a whole number"),
    (float, "a number"),
    (Mapping, "a table"),
    (list, "a list"),
    (tuple, "a list"),
    (datetime.datetime, "a date and time"),
    (datetime.date, "a date"),
    (datetime.time, "a time"),
)
