"""The run's own log on disk: every event as a JSON line, for later and for comparing with the next run."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from shipper.model.event import Event, RunFinished, RunStarted, StageLog
from shipper.model.json_text import parse_json

KEPT_RUNS = 100
"""Logs kept for each service."""

MAX_BYTES = 50_000_000
"""Bytes of one log: beyond, lines of child processes are left out (a chatty container must not fill the disk)."""

_LAST_LINE = 1 << 20
"""Bytes read from the end of a log to find its last line."""


class RunLog:
    """A sink. The file is opened when the run says what it is about; `path` is empty before and after a failure."""

    name = "the run log"

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._file: IO[bytes] | None = None
        self._size = 0
        self.path = ""
        self.previous: RunFinished | None = None
        """The last good run of the same service, environment and target, once this run has started."""

    @classmethod
    def default(cls) -> RunLog:
        """Under the user's state directory (XDG_STATE_HOME on Linux): `shipper/runs/<service>/<run>.jsonl`."""
        import platformdirs

        return cls(platformdirs.user_state_path("shipper", appauthor=False) / "runs")

    def __call__(self, event: Event) -> None:
        """Write one line; the last one is synced. Raises OSError, and is left alone after that."""
        try:
            if isinstance(event, RunStarted):
                self._open(event)
            self._write(event)
            if isinstance(event, RunFinished):
                self.close()
        except OSError:
            self.path = ""
            self._drop()
            raise

    def close(self) -> None:
        """Sync and close. Idempotent."""
        if self._file is not None:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._drop()

    def _open(self, started: RunStarted) -> None:
        folder = self._directory / _file_name(started.service)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.previous = last_good_run(folder, started)
        path = folder / f"{_file_name(started.run)}.jsonl"
        self._file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
        self.path = str(path)
        _prune(folder)

    def _write(self, event: Event) -> None:
        if self._file is None or (self._size > MAX_BYTES and isinstance(event, StageLog)):
            return
        if isinstance(event, RunFinished) and not event.log:
            event = event.model_copy(update={"log": self.path})
        line = event.model_dump_json().encode() + b"\n"
        self._size += len(line)
        self._file.write(line)
        self._file.flush()

    def _drop(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            with contextlib.suppress(OSError):
                file.close()


def last_good_run(folder: Path, started: RunStarted) -> RunFinished | None:
    """How the newest good run of the same command, environment and target ended; unreadable logs are passed over."""
    wanted = (started.command, started.environment, started.target)
    for path in _newest_first(folder):
        with contextlib.suppress(OSError, ValueError):
            first = RunStarted.model_validate(_first_line(path))
            if (first.command, first.environment, first.target) != wanted:
                continue
            last = RunFinished.model_validate(_last_line(path))
            if last.code == 0 and last.stages:
                return last
    return None


def _newest_first(folder: Path) -> Iterator[Path]:
    """Run ids are ULIDs: their names sort by time."""
    yield from sorted(folder.glob("*.jsonl"), reverse=True)


def _prune(folder: Path) -> None:
    for path in list(_newest_first(folder))[KEPT_RUNS:]:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


def _first_line(path: Path) -> object:
    with path.open("rb") as file:
        return parse_json(file.readline(_LAST_LINE))


def _last_line(path: Path) -> object:
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - _LAST_LINE))
        return parse_json(file.read().rstrip(b"\n").rpartition(b"\n")[2])


def _file_name(text: str) -> str:
    """Safe as a file's name, whatever an event says."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", text)[:80] or "unknown"
