"""The key of this user on this machine: 32 random bytes that make hashes of secrets useless to anybody else."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from shipper.config.problem import file_name
from shipper.config.regular import read_regular
from shipper.errors import ConfigError

BYTES = 32


def machine_key(environ: Mapping[str, str]) -> bytes:
    """The key in the state directory, made when there is none. Raises ConfigError when it cannot be had safely.

    However many processes begin at once, they all get the same key: it is written beside and linked into place.
    """
    path = state_directory(environ) / "key"
    try:
        if not os.path.lexists(path):
            _create(path)
        return _read(path)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ConfigError(
            f"the key for secret versions cannot be kept in {file_name(path)}: {reason}",
            hint="set XDG_STATE_HOME to a directory that you can write to",
        ) from error


def state_directory(environ: Mapping[str, str]) -> Path:
    """`$XDG_STATE_HOME/shipper`, else the platform's own place. A relative XDG_STATE_HOME counts as not set.

    Source: the XDG Base Directory Specification.
    """
    home = environ.get("XDG_STATE_HOME", "")
    if Path(home).is_absolute():
        return Path(home) / "shipper"
    from platformdirs import user_state_path

    return user_state_path("shipper")


def _create(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    beside = path.with_name(f".key.{secrets.token_hex(8)}")
    try:
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(secrets.token_bytes(BYTES))
            stream.flush()
            os.fsync(descriptor)
        with contextlib.suppress(FileExistsError):  # another process was first: its key is the key
            os.link(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def _read(path: Path) -> bytes:
    key, status = read_regular(path, BYTES, follow=False)
    if len(key) != BYTES:
        raise ConfigError(f"{file_name(path)} is not a key of {BYTES} bytes", hint="remove it; a new one is made")
    if status.st_mode & 0o077 or status.st_uid != os.geteuid():
        hint = "remove it; a new one is made"
        raise ConfigError(f"{file_name(path)} is open to other users", hint=hint)
    return key
