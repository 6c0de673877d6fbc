"""Keeping candidates' logs on this machine: private, bounded, already redacted."""

from __future__ import annotations

import os
import time
from pathlib import Path

MOST_FILES = 100
MOST_BYTES = 1_000_000


def log_directory() -> Path:
    """Where logs are kept: under the user's state directory."""
    from platformdirs import user_state_path

    return user_state_path("shipper", appauthor=False) / "smoke"


def keep_log(text: str, directory: Path, name: str) -> Path:
    """Write the newest MOST_BYTES of `text` to a new file (0600) and drop the oldest files. Raises OSError."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = directory / f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}-{name}.log"
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(text.encode("utf-8", "replace")[-MOST_BYTES:])
    _drop_oldest(directory)
    return path


def _drop_oldest(directory: Path) -> None:
    # The name begins with the time. Another run may drop the same files at the same moment.
    for path in sorted(directory.glob("*.log"))[:-MOST_FILES]:
        path.unlink(missing_ok=True)
