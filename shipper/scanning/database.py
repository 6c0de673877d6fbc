"""The vulnerability database: there, fresh enough, identified. Trivy itself scans with a stale one without a word."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from shipper.errors import ScannerError
from shipper.model.context import Cancellation
from shipper.model.json_text import parse_json
from shipper.scanning.failure import REFRESH, printable
from shipper.scanning.places import Places, write_private
from shipper.scanning.program import ISOLATED, Program

REFRESH_AFTER = 24 * 3600.0
"""Seconds. Upstream rebuilds every 6 h and promises the next one within 24 h (NextUpdate - UpdatedAt)."""

_CLOCK_ERROR = 24 * 3600.0
_SCHEMA = 2
_DOWNLOAD_TIMEOUT = 600.0
_LARGEST_METADATA = 1 << 20


@dataclass(frozen=True)
class Database:
    """What the scans of this run stand on."""

    digest: str
    updated: datetime
    age: float
    """Seconds since `updated`, when it was looked at."""
    fixture: bool
    remark: str = ""

    def words(self) -> str:
        """Digest and date, for people."""
        kind = " (generated fixture)" if self.fixture else ""
        return f"{self.digest} of {self.updated:%Y-%m-%d %H:%M} UTC{kind}"


def ready_database(
    program: Program, places: Places, max_age: float, now: float, cancel: Cancellation | None = None
) -> Database:
    """The database, downloaded when it is missing or older than `REFRESH_AFTER` and that is allowed.

    `max_age` in seconds, `now` in Unix seconds. Raises ScannerError: missing, too old, from the future, unreadable.
    A failed refresh is told in `remark` while the old one is young enough.
    """
    refreshed = ""
    with _only_one(places, cancel):
        found = _look(places, now)
        if found is None or (found.age > REFRESH_AFTER and not found.fixture):
            refreshed = _download(program, places, missing=found is None, cancel=cancel)
            found = _look(places, now)
    if found is None:
        raise ScannerError(
            f"there is no vulnerability database in {places.cache}",
            hint=REFRESH.format(cache=places.cache),
            cause="database-missing",
            details=[refreshed] if refreshed else (),
        )
    _check_age(found, places, max_age)
    return _with_remark(found, refreshed)


def _check_age(found: Database, places: Places, max_age: float) -> None:
    if found.age > max_age:
        raise ScannerError(
            f"the vulnerability database is {_days(found.age)} old; at most {_days(max_age)} are allowed",
            hint=REFRESH.format(cache=places.cache),
            cause="database-stale",
        )
    if found.age < -_CLOCK_ERROR:
        raise ScannerError(
            f"the vulnerability database is dated {found.updated:%Y-%m-%d}, which is in the future",
            hint="set this machine's clock, then " + REFRESH.format(cache=places.cache),
            cause="database-future",
        )


def _with_remark(found: Database, refreshed: str) -> Database:
    if found.age <= REFRESH_AFTER or found.fixture:
        return found
    why = f": {refreshed}" if refreshed else ""
    remark = f"the vulnerability database is {_days(found.age)} old and was not refreshed{why}"
    return Database(found.digest, found.updated, found.age, found.fixture, remark)


def _look(places: Places, now: float) -> Database | None:
    """What is there, or None. Raises ScannerError for what cannot be understood."""
    folder = places.cache / "db"
    try:
        metadata = _read(folder / "metadata.json")
        status = (folder / "trivy.db").stat()
        fixture = (folder / "fixture.json").exists() and _read(folder / "fixture.json").get("fixture") is True
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise _unreadable(places, printable(str(error))) from error
    updated = _updated(metadata, places)
    digest = _digest(folder / "trivy.db", status, places)
    return Database(digest, updated, now - updated.timestamp(), fixture)


def _read(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        text = file.read(_LARGEST_METADATA + 1)
    if len(text) > _LARGEST_METADATA:
        raise ValueError(f"{path.name} is larger than any metadata of Trivy's")
    found = parse_json(text)
    if not isinstance(found, dict):
        raise ValueError(f"{path.name} is not an object")
    return found


def _updated(metadata: dict[str, Any], places: Places) -> datetime:
    version, text = metadata.get("Version"), metadata.get("UpdatedAt")
    if version != _SCHEMA:
        raise _unreadable(places, f"schema {printable(repr(version), 40)}, not {_SCHEMA}")
    try:
        if not isinstance(text, str):
            raise ValueError("UpdatedAt is missing")
        updated = datetime.fromisoformat(text)
    except ValueError as error:
        raise _unreadable(places, "metadata.json has no date in UpdatedAt") from error
    return updated if updated.tzinfo else updated.replace(tzinfo=UTC)


def _digest(path: Path, status: os.stat_result, places: Places) -> str:
    """sha256 of the file. It has hundreds of megabytes: remembered by size, time and inode."""
    seen = f"{path} {status.st_size} {status.st_mtime_ns} {status.st_ino}"
    note = places.state / f"database-{hashlib.sha256(seen.encode()).hexdigest()[:32]}"
    try:
        kept = note.read_text()
        if len(kept) == 71 and kept.startswith("sha256:"):
            return kept
    except (OSError, ValueError):
        pass  # not remembered: compute it
    try:
        with path.open("rb") as file:
            digest = "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise _unreadable(places, printable(str(error))) from error
    write_private(note, digest.encode())
    return digest


def _download(program: Program, places: Places, *, missing: bool, cancel: Cancellation | None) -> str:
    """ "" when there is a new database, else why not. Never raises for a download that failed: age decides."""
    if os.environ.get("SHIPPER_TRIVY_OFFLINE", "") not in ("", "0"):
        return "SHIPPER_TRIVY_OFFLINE is set"
    args = ["image", "--download-db-only", "--no-progress", "--cache-dir", str(places.cache)]
    args += ["--skip-version-check", "--disable-telemetry", *ISOLATED]
    try:
        program.run(
            args, "download the vulnerability database", timeout=_DOWNLOAD_TIMEOUT, cancel=cancel, own_home=False
        )
    except ScannerError as error:
        return error.message if missing else "the download failed"
    return ""


@contextmanager
def _only_one(places: Places, cancel: Cancellation | None) -> Iterator[None]:
    """One process at a time looks and downloads; a cache that we cannot write needs no lock."""
    try:
        lock = (places.state / "database.lock").open("w")
    except OSError as error:
        raise ScannerError(
            f"{places.state} cannot be written: {error.strerror}", hint="make it writable", cause="scanner-state"
        ) from error
    with lock:
        while not _locked(lock, wait=cancel is None):
            if cancel is not None and cancel.wait(0.1):
                cancel.check()
        yield


def _locked(lock: IO[str], *, wait: bool) -> bool:
    """Another process may hold it for as long as a download takes."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    return True


def _unreadable(places: Places, why: str) -> ScannerError:
    return ScannerError(
        f"the vulnerability database in {places.cache} cannot be read: {why}",
        hint=REFRESH.format(cache=places.cache),
        cause="database-unreadable",
    )


def _days(seconds: float) -> str:
    days = seconds / 86400
    return f"{days:.0f} days" if days >= 2 else f"{seconds / 3600:.0f} hours"
