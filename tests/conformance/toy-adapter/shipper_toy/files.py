"""The platform's files: one directory for each service, one for images. Every change is made under one lock.

images/<hex>.json                  an image's labels
<service>.<environment>/state.json       version, stamp and weights: written last, renamed into place
<service>.<environment>/revisions/*.json   a release's record, and whether it is stopped
<service>.<environment>/secrets/NAME.VERSION
"""

from __future__ import annotations

import contextlib
import fcntl
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

EMPTY: dict[str, Any] = {"version": 0, "stamp": {}, "weights": {}}


@dataclass(frozen=True)
class Files:
    """What belongs to one service in one environment."""

    root: Path
    service: str
    environment: str

    @property
    def home(self) -> Path:
        """The service's own directory."""
        return self.root / f"{self.service}.{self.environment}"

    @property
    def secrets(self) -> Path:
        """One file for each value."""
        return self.home / "secrets"

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Nobody else changes or reads meanwhile."""
        self.root.mkdir(parents=True, exist_ok=True)
        with (self.root / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def state(self) -> dict[str, Any]:
        """As it was written last."""
        return load(self.home / "state.json") or EMPTY

    def write_state(self, state: dict[str, Any]) -> None:
        """All of it or nothing."""
        write(self.home / "state.json", state)

    def revisions(self) -> dict[str, dict[str, Any]]:
        """Name to {"record", "stopped", "labels"}, oldest first."""
        found = {path.stem: load(path) for path in (self.home / "revisions").glob("*.json")}
        held = {name: revision for name, revision in found.items() if revision}
        return dict(sorted(held.items(), key=lambda pair: pair[1]["record"]["value"]["number"]))

    def revision(self, name: str) -> Path:
        """Its file."""
        return self.home / "revisions" / f"{name}.json"

    def image(self, digest: str) -> Path:
        """An image's file."""
        return self.root / "images" / f"{digest.removeprefix('sha256:')}.json"


def load(path: Path) -> dict[str, Any] | None:
    """The object in a file; None without one."""
    try:
        found: dict[str, Any] = json.loads(path.read_text())
    except FileNotFoundError:
        return None
    return found


def write(path: Path, content: dict[str, Any]) -> None:
    """Renamed into place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(content))
    fresh.rename(path)
