"""Go: the machine's own when it is new enough, else Debian's. Standard library only."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from tests.rig import debian
from tests.rig.machine import Machine, is_root
from tests.rig.shell import RigError, attempt, run

_PLACES = ("/usr/local/go/bin/go", "/usr/lib/go-*/bin/go")
_ENVIRON = {"GOTOOLCHAIN": "local", "CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false -mod=readonly"}
"""Beside the machine's own settings, which say where modules come from."""


def find(wanted: tuple[int, int]) -> Path | None:
    """A go of at least this version; None when this machine has none."""
    return next((go for go in _candidates() if _number(version(go)) >= wanted), None)


def get(wanted: tuple[int, int], machine: Machine) -> Path:
    """The same; installed when it is missing and that can be done. Raises RigError."""
    if go := find(wanted):
        return go
    there = ", ".join(f"{go} is {version(go)}" for go in _candidates()) or "there is none"
    needed = f"building the control plane needs Go {wanted[0]}.{wanted[1]} or later; {there}"
    if not is_root():
        raise RigError(f"{needed}: install it, from go.dev/dl for example")
    package = f"golang-{wanted[0]}.{wanted[1]}-go"
    try:
        debian.install([f"{package}/{debian.ENGINE_SUITE}"], machine.state / "apt-go")
    except RigError as error:
        raise RigError(f"{needed}, and Debian's {package} cannot be had: {error}") from None
    if go := find(wanted):
        return go
    raise RigError(f"{needed}, although {package} is installed")


def version(go: Path) -> str:
    """As go itself says it, such as go1.26.8; "" when it does not run."""
    return attempt(["env", "GOTOOLCHAIN=local", go, "env", "GOVERSION"]) or ""


def command(go: Path, *words: str | Path) -> list[str]:
    """A call of go in a module, with the settings that a build here always has, at a low priority."""
    settings = [f"{name}={value}" for name, value in _ENVIRON.items()]
    return ["nice", "-n", "5", "env", *settings, str(go), *(str(word) for word in words)]


def said(go: Path, module: Path, *words: str) -> str:
    """The output of `go …` in the folder of a module. Raises RigError with the end of what it said."""
    return run(["env", "--chdir", module, *command(go, *words)], env={"PWD": str(module)})


def _candidates() -> Iterator[Path]:
    if found := shutil.which("go"):
        yield Path(found)
    for place in _PLACES:
        yield from (path for path in sorted(Path("/").glob(place[1:]), reverse=True) if os.access(path, os.X_OK))


def _number(text: str) -> tuple[int, int]:
    found = re.match(r"go(\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2])) if found else (0, 0)
