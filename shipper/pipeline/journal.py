"""What stages made before, on disk: a stage that opted in is not run again when its product still holds.

An entry is never trusted for being there: it must be whole, of our schema, under the right key, and `still_true`
must say so. Anything else is a miss, with a line in the debug log. Products hold no secrets.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import tempfile
from pathlib import Path
from typing import Any, TypeVar

from shipper.model.json_text import parse_json
from shipper.model.noun import Product, digest_of

SCHEMA = 1
MAX_ENTRIES = 500
"""Entries kept, the most recently used ones: a release writes about eight."""

MAX_BYTES = 32 << 20
"""Bytes of an entry: a larger file is not ours."""

_log = logging.getLogger(__name__)
Kind = TypeVar("Kind", bound=Product)


class Journal:
    """A directory with one file per key. Safe for several processes: files are renamed into place."""

    def __init__(self, directory: Path, *, keep: int = MAX_ENTRIES) -> None:
        self._directory = directory
        self._keep = keep

    @classmethod
    def default(cls) -> Journal:
        """In the user's cache directory (XDG_CACHE_HOME on Linux)."""
        import platformdirs

        return cls(platformdirs.user_cache_path("shipper", appauthor=False) / "journal")

    def find(self, key: str, kind: type[Kind]) -> Kind | None:
        """The product that was kept under `key`, or None."""
        path = self._path(key)
        try:
            if path.stat().st_size > MAX_BYTES:
                raise ValueError("larger than any entry of ours")
            product = _product(parse_json(path.read_bytes()), key, kind)
            os.utime(path)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            _log.debug("journal entry %s is ignored: %s: %s", path.name, type(error).__name__, error)
            return None
        return product

    def remember(self, key: str, product: Product) -> None:
        """Keep `product` under `key`. Raises OSError when the disk refuses, ValueError when it does not round-trip."""
        record = product.to_record()
        if type(product).from_record(json.loads(json.dumps(record))) != product:
            raise ValueError(f"a {type(product).__name__} does not come back from JSON as it was")
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        body = {"journal": SCHEMA, "key": key, "record": record, "digest": digest_of([key, record])}
        write_atomically(self._path(key), json.dumps(body).encode())
        self._prune()

    def _path(self, key: str) -> Path:
        return self._directory / f"{key.removeprefix('sha256:')}.json"

    def _prune(self) -> None:
        """Remove the least recently used entries. Another process may be doing the same."""
        entries: list[tuple[float, Path]] = []
        for path in self._directory.glob("*.json"):
            with contextlib.suppress(FileNotFoundError):
                entries.append((path.stat().st_mtime, path))
        for _, path in sorted(entries)[: max(0, len(entries) - self._keep)]:
            path.unlink(missing_ok=True)


def key_of(stage: str, version: int, inputs: dict[str, Any], world: str) -> str:
    """The key of a stage's product. `inputs` maps a parameter to its product's digest (or to a list of them)."""
    return digest_of({"journal": SCHEMA, "stage": stage, "version": version, "inputs": inputs, "world": world})


def write_atomically(path: Path, content: bytes) -> None:
    """Write a new file beside `path`, sync it, and rename it into place: whole or not at all, mode 0600."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".tmp")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _product(body: dict[str, Any], key: str, kind: type[Kind]) -> Kind:
    """Raises ValueError, TypeError or KeyError for anything that is not a whole entry of ours under this key."""
    if body["journal"] != SCHEMA or body["key"] != key:
        raise ValueError("another schema or another key")
    if body["digest"] != digest_of([key, body["record"]]):
        raise ValueError("its content is not what was written")
    return kind.from_record(body["record"])
