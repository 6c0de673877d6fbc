"""buildkitd and buildctl, built from go/go.mod once and kept in the user's cache. For `make sweep` only.

    python3 -m tests.rig.buildkitd.build      builds them at a low priority (about 5 minutes on two cores)

    ~/.cache/shipper-rig/buildkitd/<go.mod and go.sum>-<go>/    (XDG_CACHE_HOME is respected)

buildkit's own go.mod excludes versions, so that `go install …@v0.22.0` refuses it: it is a tool of a module here.
Standard library only.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.rig.kubernetes import go_tool
from tests.rig.machine import Machine, survey
from tests.rig.shell import RigError

MODULE = Path(__file__).parent / "go"
VERSION = "0.22.0"
"""What go.mod pins."""
PROGRAMS = ("buildkitd", "buildctl")
WANTED_GO = (1, 24)
_PACKAGE = "github.com/moby/buildkit"


def look() -> Path | None:
    """The folder of the built programs; None when there is none."""
    go = go_tool.find(WANTED_GO)
    folder = None if go is None else _folder(go)
    return folder if folder is not None and folder.exists() else None


def make(machine: Machine) -> Path:
    """The same, built when they are missing; waits for a build that another process has begun. Raises RigError."""
    _cache().mkdir(parents=True, exist_ok=True)
    with (_cache() / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return look() or _build(go_tool.get(WANTED_GO, machine))


def _build(go: Path) -> Path:
    log = _cache() / "build.log"
    flags = f"-s -w -X {_PACKAGE}/version.Version=v{VERSION}"
    packages = [f"{_PACKAGE}/cmd/{name}" for name in PROGRAMS]
    with tempfile.TemporaryDirectory(dir=_cache(), prefix=".part-") as temporary:
        part = Path(temporary) / "whole"
        part.mkdir()
        words = go_tool.command(go, "build", "-trimpath", "-ldflags", flags, "-o", f"{part}/", *packages)
        _run(words, log)
        part.rename(_folder(go))
    return _folder(go)


def _run(words: list[str], log: Path) -> None:
    """In a process group of its own: whoever stops this process stops the compilers too."""
    with log.open("w") as sink:
        running = subprocess.Popen(
            words, cwd=MODULE, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, start_new_session=True
        )
        try:
            code = running.wait()
        except BaseException:
            os.killpg(running.pid, signal.SIGKILL)
            running.wait()
            raise
    if code != 0:
        told = [line for line in log.read_text(errors="replace").splitlines() if not line.startswith("go: downloading")]
        raise RigError(f"go build failed: {' / '.join(told[-3:]) or 'it said nothing'} ({log})")


def _folder(go: Path) -> Path:
    total = hashlib.sha256()
    for name in ("go.mod", "go.sum"):
        total.update((MODULE / name).read_bytes())
    return _cache() / f"{total.hexdigest()[:16]}-{go_tool.version(go)}"


def _cache() -> Path:
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(home) / "shipper-rig" / "buildkitd"


def main() -> int:
    started = time.monotonic()
    try:
        folder = make(survey())
    except RigError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"BuildKit {VERSION} in {folder}, {time.monotonic() - started:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
