"""Where a key is written, for who has found something wrong with its value only later: a target, before a release."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shipper.config.document import read
from shipper.config.overlay import merged
from shipper.config.positions import KeyPath
from shipper.config.problem import ConfigProblems


@dataclass(frozen=True)
class Written:
    """The `shipper.model.context.Configuration` of a run. `path` is None where the file is not at hand."""

    path: Path | None
    environment: str

    def place_of(self, key: str) -> str:
        """See there. The file is read when it is asked for; of one that cannot be read (any more) nothing is known."""
        try:
            found = merged(read(self.path), self.environment) if self.path is not None else None
        except ConfigProblems:
            return ""
        path = path_of(found.table, key) if found is not None else ()
        position = found.position(path) if found is not None and path else None
        return f"{found.document.file}:{position.line}:{position.column}" if found is not None and position else ""


def path_of(table: Mapping[str, Any], key: str) -> KeyPath:
    """As much of a dotted key as the table has; a name may have dots itself, and one of a list goes by its `name`.

    Nothing for a target that the table does not have: that of another one would mislead.
    """
    path = _steps(table, key)
    return () if path == ("targets",) and path != (key,) else path


def _steps(value: Any, key: str) -> KeyPath:
    if isinstance(value, Mapping):
        known = [name for name in value if f"{key}.".startswith(f"{name}.")]
        name = max(known, key=len, default=None)
        return () if name is None else (name, *_steps(value[name], key[len(name) + 1 :]))
    if isinstance(value, list):
        return next(((at,) for at, one in enumerate(value) if isinstance(one, Mapping) and one.get("name") == key), ())
    return ()
