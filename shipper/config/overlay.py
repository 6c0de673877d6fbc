"""One environment's configuration: the file with `[environments.<name>]` laid over it, knowing where each value is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from shipper.config.document import Document
from shipper.config.positions import KeyPath, Position

DEFAULT_ENVIRONMENT = "dev"
Origin = Literal["file", "overlay", "default"]


@dataclass(frozen=True)
class Merged:
    """The file for one environment. Tables merge, everything else (lists too) replaces."""

    document: Document
    environment: str
    overlay: Mapping[str, Any]
    table: Mapping[str, Any]

    def origin(self, path: KeyPath) -> Origin:
        """Which part of the file gives the value at this path."""
        if self._overlaid(path):
            return "overlay" if self.document.has(self._written(path, "overlay")) else "default"
        return "file" if self.document.has(path) else "default"

    def position(self, path: KeyPath) -> Position | None:
        """Where the value at this path is written; for one that is not there, the closest table around it."""
        for length in range(len(path), 0, -1):
            origin = self.origin(path[:length])
            if origin != "default":
                return self.document.position(self._written(path[:length], origin))
        return self.document.position(path)

    def value(self, path: KeyPath) -> Any:
        """The value at this path; None when there is none."""
        return _at(self.table, path)

    def _overlaid(self, path: KeyPath) -> bool:
        """Whether the overlay decides here: it has the path, or a part of it that is no table and so replaces all."""
        value: Any = self.overlay
        for part in path:
            if not isinstance(value, Mapping):
                return True
            if part not in value:
                return False
            value = value[part]
        return bool(path)

    def _written(self, path: KeyPath, origin: Origin) -> KeyPath:
        return ("environments", self.environment, *path) if origin == "overlay" else path


def merged(document: Document, environment: str) -> Merged:
    """The document for this environment; one that the file does not have is the file as it is."""
    environments = document.table.get("environments")
    overlay = environments.get(environment) if isinstance(environments, Mapping) else None
    overlay = overlay if isinstance(overlay, Mapping) else {}
    base = {key: value for key, value in document.table.items() if key != "environments"}
    return Merged(document=document, environment=environment, overlay=overlay, table=_laid_over(base, overlay))


def _laid_over(base: Mapping[str, Any], overlay: Mapping[str, Any]) -> dict[str, Any]:
    """Recursion is bounded by positions.MAX_DEPTH."""
    result = dict(base)
    for key, value in overlay.items():
        below = result.get(key)
        result[key] = _laid_over(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return result


def _at(value: Any, path: KeyPath) -> Any:
    for part in path:
        if isinstance(value, Mapping):
            value = value.get(part)
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):
            value = value[part]
        else:
            return None
    return value
