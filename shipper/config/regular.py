"""Reading a small regular file without being held up or fooled by what else a path may name."""

from __future__ import annotations

import os
import stat
from pathlib import Path


class NotRegular(OSError):
    """A directory, a pipe, a device: nothing that holds a text."""


def read_regular(path: Path, limit: int, *, follow: bool = True) -> tuple[bytes, os.stat_result]:
    """At most `limit` + 1 bytes (more than `limit`: too large) and what the system says about the file.

    A pipe is not waited for; with `follow` off a link is refused. Raises OSError, NotRegular among them.
    """
    link = 0 if follow else os.O_NOFOLLOW
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | link)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise NotRegular(None, "it is not a regular file")
        with os.fdopen(descriptor, "rb", closefd=False) as stream:
            return stream.read(limit + 1), status
    finally:
        os.close(descriptor)
