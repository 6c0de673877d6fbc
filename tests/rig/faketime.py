"""Another wall clock for one process: libfaketime from Debian, preloaded. The monotonic clock stays as it is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tests.rig import debian
from tests.rig.machine import state_dir
from tests.rig.shell import RigError

_PLACES = ("/usr/lib/*/faketime/libfaketimeMT.so.1", "/usr/local/lib/faketime/libfaketimeMT.so.1")


def shifted(by: str) -> Mapping[str, str]:
    """The environment in which a process is so far off, such as "+10m". RigError where libfaketime cannot be had."""
    library = _library()
    if library is None:
        debian.install(["faketime"], state_dir() / "apt")
        library = _library()
    if library is None:
        raise RigError("the package faketime has no library where it is looked for")
    return {"LD_PRELOAD": str(library), "FAKETIME": by, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}


def _library() -> Path | None:
    found = (path for pattern in _PLACES for path in Path("/").glob(pattern.lstrip("/")))
    return next(found, None)
