"""The resolved configuration as TOML, with the origin of every value beside it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from shipper.config.document import PYPROJECT_TOML, SHIPPER_TOML, read
from shipper.config.overlay import Merged, merged
from shipper.config.positions import KeyPath
from shipper.config.sections import SECTIONS
from shipper.config.shape import node_at
from shipper.model.printable import has_credentials, looks_secret
from shipper.model.settings import Settings

Line = tuple[str, str]  # TOML, and where it comes from

_WIDEST = 56


def show(settings: Settings) -> str:
    """Valid TOML that loads to the same Settings; each value is followed by `# file:line`, overlay or default.

    Values of variables whose names look like secrets are hidden (then it no longer loads to the same).
    Raises ConfigProblems when the file cannot be read again.
    """
    source = _source(settings)
    lines = [line for block in _blocks(settings, source) for line in (*block, ("", ""))]
    width = min(_WIDEST, max((len(text) for text, origin in lines if origin), default=0))
    return "\n".join(_beside(text, origin, width) for text, origin in lines).rstrip() + "\n"


def _blocks(settings: Settings, source: Merged) -> Iterator[list[Line]]:
    yield list(_top(settings, source))
    for name, model in SECTIONS.items():
        section = getattr(settings, name)
        values = section.model_dump(mode="json", by_alias=True)
        yield from _table((name,), values, source, _Units(model, (name,)))
    for name, target in settings.targets.items():
        yield from _table(("targets", name), {"kind": target.kind, **target.settings}, source, None)


def _top(settings: Settings, source: Merged) -> Iterator[Line]:
    yield f"# {settings.service.service} in {settings.service.environment}", ""
    yield f"service = {_toml(settings.service.service)}", _origin(source, ("service",))
    if settings.target is not None:
        yield f"target = {_toml(settings.target)}", _origin(source, ("target",))


class _Units:
    """Knows which values of a section are sizes and durations, to show them as people write them."""

    def __init__(self, model: type[Any], path: KeyPath) -> None:
        self._model = model
        self._path = path

    def text(self, path: KeyPath, value: Any) -> str | None:
        unit = node_at(self._model, path[len(self._path) :]).get("format")
        if unit == "size" and isinstance(value, int):
            return _exact(value, (("GB", 10**9), ("GiB", 2**30), ("MB", 10**6), ("MiB", 2**20), ("kB", 10**3)))
        if unit == "duration" and isinstance(value, int | float) and float(value).is_integer():
            return _exact(int(value), (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)))
        return None


def _exact(value: int, units: tuple[tuple[str, int], ...]) -> str | None:
    """`512MB` when the unit divides the value without a rest."""
    return next((f'"{value // size}{name}"' for name, size in units if value % size == 0), None)


def _table(path: KeyPath, values: Mapping[str, Any], source: Merged, units: _Units | None) -> Iterator[list[Line]]:
    """The table's own values, then the tables and lists of tables in it. What is absent is not shown."""
    own = [(f"[{_header(path)}]", "")]
    inner: list[tuple[KeyPath, Any]] = []
    for key, value in values.items():
        where = (*path, key)
        if (isinstance(value, Mapping) and value and not _is_free_json(where)) or _is_list_of_tables(value):
            inner.append((where, value))
        elif not _is_absent(key, value):
            own.append((f"{_key(key)} = {_value(where, value, units)}", _origin(source, where)))
    if len(own) > 1:
        yield own
    for where, value in inner:
        if isinstance(value, Mapping):
            yield from _table(where, value, source, units)
        else:
            yield from (_entry(where, index, entry, source, units) for index, entry in enumerate(value))


def _entry(path: KeyPath, index: int, entry: Mapping[str, Any], source: Merged, units: _Units | None) -> list[Line]:
    where = (*path, index)
    own = [(f"[[{_header(path)}]]", "")]
    for key, value in entry.items():
        if not _is_absent(key, value):
            place = (*where, key)
            own.append((f"{_key(key)} = {_value(place, value, units)}", _origin(source, place)))
    return own


def _value(path: KeyPath, value: Any, units: _Units | None) -> str:
    if path[-2] in ("env", "build_args") or path[0] == "targets":
        value = _masked(str(path[-1]), value)
    if path[-1] == "headers":
        value = {name: _masked(name, header) for name, header in value.items()}
    if path[-1] == "expect":
        value = {key: child for key, child in value.items() if not _is_absent(key, child)}
    return (units.text(path, value) if units else None) or _toml(value)


def _masked(name: str, value: Any) -> Any:
    """What is not printed on a terminal that others may see."""
    return "***" if looks_secret(name) or has_credentials(str(value)) else value


def _is_absent(key: str, value: Any) -> bool:
    """Nothing, or a table without entries; but an empty JSON object is a value."""
    return value is None or (value == {} and key != "json")


def _toml(value: Any) -> str:
    """Any JSON value as TOML on one line. JSON's text escapes are TOML's, except that TOML escapes DEL too."""
    if isinstance(value, Mapping):
        pairs = (f"{_key(key)} = {_toml(child)}" for key, child in value.items() if child is not None)
        return "{ " + ", ".join(pairs) + " }" if value else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(_toml(child) for child in value)}]"
    if isinstance(value, str):
        return _quoted(value)
    return json.dumps(value)


def _quoted(text: str) -> str:
    """What a terminal would act on is escaped, the rest stays as people wrote it."""
    shown = json.dumps(text, ensure_ascii=False)
    return "".join(char if char.isprintable() else _escaped(char) for char in shown)


def _escaped(char: str) -> str:
    return f"\\u{ord(char):04x}" if ord(char) < 0x10000 else f"\\U{ord(char):08x}"


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _quoted(name)


def _header(path: KeyPath) -> str:
    return ".".join(_key(str(part)) for part in path)


def _is_list_of_tables(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(entry, Mapping) for entry in value)


def _is_free_json(path: KeyPath) -> bool:
    """`health.json` is one value to a person, however deep."""
    return path[-1] == "json"


def _origin(source: Merged, path: KeyPath) -> str:
    origin = source.origin(path)
    position = source.position(path)
    if origin == "default" or position is None:
        return "default"
    place = f"{source.document.file}:{position.line}"
    return f"{place} ({source.environment})" if origin == "overlay" else place


def _beside(text: str, origin: str, width: int) -> str:
    return f"{text:<{width}}  # {origin}" if origin else text


def _source(settings: Settings) -> Merged:
    root = Path(settings.service.root)
    name = SHIPPER_TOML if (root / SHIPPER_TOML).exists() else PYPROJECT_TOML
    return merged(read(root / name), settings.service.environment)
