"""What to write instead: the line that a person probably wanted."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from typing import Any

from shipper.config.nearest import nearest
from shipper.config.positions import KeyPath
from shipper.config.printable import hidden, shown
from shipper.config.shape import Node
from shipper.model.printable import SHORT
from shipper.model.quantities import parse_duration, parse_size

_REFERENCE_HINT = 'write "env:NAME" or "file:PATH" and keep the value itself out of this file'
_UNIT_WORDS = {
    "sec": "s", "secs": "s", "second": "s", "seconds": "s", "minute": "min", "minutes": "min", "mins": "min",
    "hour": "h", "hours": "h", "hr": "h", "hrs": "h", "day": "d", "days": "d", "milliseconds": "ms", "msec": "ms",
    "kb": "kB", "mb": "MB", "gb": "GB", "tb": "TB", "kib": "KiB", "mib": "MiB", "gib": "GiB", "tib": "TiB",
    "ki": "KiB", "mi": "MiB", "gi": "GiB", "ti": "TiB", "k": "K", "m": "M", "g": "G", "t": "T", "b": "B",
    "bytes": "B",
}  # fmt: skip


def advice(path: KeyPath, value: Any, node: Node) -> str:
    """What to write at this key instead of the value found; empty when what was expected says it all."""
    if "secrets" in path:
        return _REFERENCE_HINT
    key = next((part for part in reversed(path) if isinstance(part, str)), "")
    if hidden(path, value):
        return "put the value in quotes" if node.get("type") == "string" and _is_number(value) else ""
    meant = _meant(str(key), value, node)
    return f"write {meant}" if meant and len(meant) <= SHORT + 20 else ""


def _meant(key: str, value: Any, node: Node) -> str:
    if node.get("format") in _PARSERS:
        return _with_unit(key, value, _PARSERS[node["format"]])
    if "enum" in node or "const" in node:
        near = nearest(value, [str(one) for one in node.get("enum", [node.get("const")])]) if _is_text(value) else ""
        return f'{key} = "{near}"' if near else ""
    if isinstance(value, list) and len(value) == 1 and node.get("type") in _SCALARS:
        return f"{key} = {shown(value[0])}, without the brackets" if not isinstance(value[0], list | dict) else ""
    by_type = _BY_TYPE.get(str(node.get("type")))
    return by_type(key, value, node) if by_type else ""


def _with_unit(key: str, value: Any, parse: Callable[[Any], Any]) -> str:
    """`512 mb` -> `512MB`, `10 seconds` -> `10s`."""
    match = re.fullmatch(r"\s*(\d{1,9}(?:\.\d{1,6})?)\s*([A-Za-z]{1,12})\s*", value) if _is_text(value) else None
    if match is None:
        return ""
    candidate = match[1] + _UNIT_WORDS.get(match[2].lower(), "?")
    try:
        parse(candidate)
    except ValueError:
        return ""
    return f'{key} = "{candidate}"'


def _number(key: str, value: Any, node: Node) -> str:
    pattern = r"[+-]?\d{1,18}" if node["type"] == "integer" else r"[+-]?\d{1,18}(?:\.\d{1,9})?"
    if _is_text(value) and re.fullmatch(pattern, value.strip()):
        return f"{key} = {value.strip()}, without the quotes"
    if isinstance(value, float) and value.is_integer():
        return f"{key} = {int(value)}"
    return ""


def _truth(key: str, value: Any, _node: Node) -> str:
    meanings = {"true": "true", "yes": "true", "on": "true", "1": "true"}
    meanings |= {"false": "false", "no": "false", "off": "false", "0": "false"}
    meant = meanings.get(str(value).strip().lower()) if isinstance(value, str | int) else None
    return f"{key} = {meant}, without quotes" if meant else ""


def _list(key: str, value: Any, node: Node) -> str:
    if node.get("items", {}).get("type") != "string":
        return f"[[…{key}]] before each entry" if isinstance(value, dict) else ""
    if not _is_text(value):
        return ""
    try:
        parts = shlex.split(value) if key == "command" else [value]
    except ValueError:
        parts = [value]
    return f"{key} = [{', '.join(shown(part) for part in parts)}]"


def _text(key: str, value: Any, node: Node) -> str:
    if _is_number(value):
        return f'{key} = "{shown(value)}", in quotes'
    if not _is_text(value) or not node.get("pattern"):
        return ""
    lower = value.lower()
    candidates = (f"/{value}", _without_tag(lower), lower, f"linux/{lower}")
    for candidate in candidates:
        if value.strip() and candidate != value and re.fullmatch(node["pattern"], candidate):
            return f"{key} = {shown(candidate)}"
    return ""


def _without_tag(value: str) -> str:
    """`https://registry/iris:1.0` -> `registry/iris`: shipper names images by digest."""
    bare = re.sub(r"^[a-z]+://", "", value).split("@")[0]
    return re.sub(r":[A-Za-z0-9_][\w.-]*$", "", bare)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_number(value: Any) -> bool:
    return isinstance(value, bool | int | float)


_SCALARS = ("string", "integer", "number", "boolean")
_PARSERS: dict[Any, Callable[[Any], Any]] = {"size": parse_size, "duration": parse_duration}
_BY_TYPE: dict[str, Callable[[str, Any, Node], str]] = {
    "integer": _number,
    "number": _number,
    "boolean": _truth,
    "array": _list,
    "string": _text,
}
