"""Rendered files in a directory that others write to as well: whole or not at all, and only ours."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from shipper.errors import UsageError

_MARK = "# shipper render:"


@dataclass(frozen=True)
class WrittenOut:
    """What became of the files, by name; `unchanged` were there already, byte for byte."""

    written: tuple[Path, ...]
    removed: tuple[Path, ...]
    unchanged: int


def header(service: str, environment: str) -> str:
    """The first line of every file: whose it is, so that it can be removed when it is not rendered any more."""
    return f"{_MARK} {service} {environment}"


def write_out(files: Sequence[tuple[str, str]], directory: Path) -> WrittenOut:
    """Write what is new or different, and remove what has the same header and is not among `files`.

    Nobody ever sees half a file. Raises UsageError where it cannot write; and before anything is written where a file
    of somebody else, another service or environment has a name that is needed.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        ours = _headers(files)
        for name, _ in files:
            _require_ours(directory / name, ours)
        tried = [_write(directory / name, text.encode()) for name, text in files]
        gone = list(_remove_others(files, directory))
    except OSError as error:
        reason = (error.strerror or "it cannot be written").lower()
        raise UsageError(f"{directory}: {reason}", hint="choose another directory: --out DIR") from error
    written = sorted(path for path in tried if path is not None)
    return WrittenOut(tuple(written), tuple(sorted(gone)), unchanged=len(files) - len(written))


def _require_ours(path: Path, ours: set[str]) -> None:
    """Of the same service and environment: a kustomization written over would leave the other's objects out of it."""
    first = _first_line(path) if path.exists() else None
    if first is None or first in ours:
        return
    if first.startswith(_MARK):
        other = " ".join(first.removeprefix(_MARK).split())
        raise UsageError(
            f"{path} is that of {other}", hint="a directory for each service and environment: --out gitops/SERVICE"
        )
    raise UsageError(
        f"{path} is there and was not written by shipper render", hint="move it away, or choose another directory"
    )


def _write(path: Path, content: bytes) -> Path | None:
    if path.is_file() and path.read_bytes() == content:
        return None
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    return path


def _remove_others(files: Sequence[tuple[str, str]], directory: Path) -> Iterator[Path]:
    """Those of the same service and environment, by their first line."""
    names = {name for name, _ in files}
    ours = _headers(files)
    for path in directory.glob("*.yaml"):
        if path.name not in names and path.is_file() and _first_line(path) in ours:
            path.unlink()
            yield path


def _headers(files: Sequence[tuple[str, str]]) -> set[str]:
    return {text.partition("\n")[0] for _, text in files}


def _first_line(path: Path) -> str:
    with path.open("rb") as file:
        return file.readline(4096).decode(errors="replace").rstrip("\r\n")
