"""Where the scanner keeps things: Trivy's own cache, our notes and the kept reports. All private to the user."""

from __future__ import annotations

import contextlib
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from shipper.errors import ScannerError

KEPT_REPORTS = 200


@dataclass(frozen=True)
class Places:
    """`cache` is Trivy's (database, layers), `state` our notes, `reports` what scans leave behind."""

    cache: Path
    state: Path
    reports: Path


def find_places(cache: str | Path | None = None) -> Places:
    """`cache`, else SHIPPER_TRIVY_CACHE, else trivy/ in the user's cache directory for shipper.

    Trivy's own default cache is never used: scans of others write there. Point SHIPPER_TRIVY_CACHE at it to share
    its database. Raises ScannerError when the directories cannot be made.
    """
    import platformdirs

    base = platformdirs.user_cache_path("shipper", appauthor=False)
    chosen = Path(cache or os.environ.get("SHIPPER_TRIVY_CACHE") or base / "trivy").absolute()
    places = Places(chosen, base / "scanning", base / "reports")
    for directory in (places.cache, places.state, places.reports):
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise ScannerError(
                f"{directory} cannot be made: {(error.strerror or 'no reason given').lower()}",
                hint="set XDG_CACHE_HOME or SHIPPER_TRIVY_CACHE to a directory that can be written",
                cause="scanner-state",
            ) from error
    return places


def write_private(path: Path, content: bytes) -> None:
    """Write a file of mode 0600 whole or not at all. Raises ScannerError."""
    part = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "wb") as file:  # noqa: PTH123 - it is a descriptor
            file.write(content)
        part.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise ScannerError(
            f"{path} cannot be written: {(error.strerror or 'no reason given').lower()}",
            hint="make room, or make the directory writable",
            cause="scanner-state",
        ) from error


def forget_old(directory: Path, keep: int = KEPT_REPORTS) -> None:
    """Remove all but the `keep` youngest files. Another process may do the same at the same time."""
    files: list[tuple[float, Path]] = []
    for path in directory.iterdir():
        with contextlib.suppress(OSError):
            files.append((path.stat().st_mtime, path))
    for _, path in sorted(files, reverse=True)[keep:]:
        with contextlib.suppress(OSError):
            path.unlink()
