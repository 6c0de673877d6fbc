"""A store in a directory: an object is a file that is whole and on the disk, or not there at all.

Our own because obstore's LocalStore syncs neither the file nor its directory (strace, 0.12.1: no fsync): after a
power cut an entry that a run relied on could be gone.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from shipper.errors import LedgerError

_NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})
_NO_UNNAMED = frozenset({errno.EISDIR, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL, errno.ENOENT})


class DiskStore:
    """Implements shipper.ledger.store.Store below one directory, which is made when first written to."""

    machine_only = True

    def __init__(self, root: Path) -> None:
        self._root = root

    @property
    def url(self) -> str:
        """file:///…"""
        return self._root.as_uri()

    def get(self, key: str, *, large: bool = False) -> bytes | None:
        """The file's content; None when there is none."""
        path = self._root / key
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _failed("read", path, error) from error

    def create(self, key: str, body: bytes) -> bool:
        """Written and synced without a name, then linked to its name, which fails when there is one."""
        path = self._root / key
        try:
            self._make(path.parent)
            with _directory(path.parent) as folder, _nameless(path.parent) as (descriptor, source):
                _write(descriptor, body)
                try:
                    os.link(source, path.name, dst_dir_fd=folder, follow_symlinks=True)  # linkat(2): /proc's link too
                except FileExistsError:
                    return False
                os.fsync(folder)
        except OSError as error:
            raise _failed("create", path, error) from error
        return True

    def put(self, key: str, body: bytes) -> None:
        """Renamed into place: a reader sees the old content or the new. Not synced: its loss costs time only."""
        path = self._root / key
        beside = _beside(path.parent)
        try:
            self._make(path.parent)
            beside.write_bytes(body)
            beside.replace(path)
        except OSError as error:
            with contextlib.suppress(OSError):
                beside.unlink()
            raise _failed("write", path, error) from error

    def _make(self, folder: Path) -> None:
        """The folder and those above it, each on the disk before anything is put into it."""
        if folder.is_dir():
            return
        self._make(folder.parent)
        with contextlib.suppress(FileExistsError):
            folder.mkdir()
        with _directory(folder.parent) as above:
            os.fsync(above)


@contextlib.contextmanager
def _nameless(folder: Path) -> Iterator[tuple[int, str | Path]]:
    """An open file and the path to link it from. One that was never linked is gone with its process (Linux)."""
    unnamed = getattr(os, "O_TMPFILE", None)
    if unnamed is not None and Path("/proc/self/fd").is_dir():
        try:
            descriptor = os.open(folder, os.O_WRONLY | unnamed | os.O_CLOEXEC, 0o666)
        except OSError as error:  # not every file system has it
            if error.errno not in _NO_UNNAMED:
                raise
        else:
            try:
                yield descriptor, f"/proc/self/fd/{descriptor}"
            finally:
                os.close(descriptor)
            return
    beside = _beside(folder)
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        yield descriptor, beside
    finally:
        os.close(descriptor)
        beside.unlink()


def _beside(folder: Path) -> Path:
    return folder / f".part-{secrets.token_hex(8)}"


def _write(descriptor: int, body: bytes) -> None:
    rest = memoryview(body)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
    _sync(descriptor)


def _sync(descriptor: int) -> None:
    """To the disk itself: on macOS fsync alone leaves it in the disk's cache (fcntl(2), F_FULLFSYNC)."""
    import fcntl

    full = getattr(fcntl, "F_FULLFSYNC", None)
    if full is None:
        os.fsync(descriptor)
        return
    try:
        fcntl.fcntl(descriptor, full)
    except OSError:  # a file system that does not know it
        os.fsync(descriptor)


@contextlib.contextmanager
def _directory(folder: Path) -> Iterator[int]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _failed(verb: str, path: Path, error: OSError) -> LedgerError:
    reason = (error.strerror or str(error)).lower()
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        hint = "make room there, or name another place with --ledger"
    elif error.errno in _NO_LINKS and verb == "create":
        reason, hint = f"{reason} (no hard links there?)", "name a directory of another file system with --ledger"
    else:
        hint = "check the directory and who may write there, or name another place with --ledger"
    return LedgerError(f"the ledger cannot {verb} {path}: {reason}", hint=hint)
