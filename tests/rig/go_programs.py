"""Programs of a Go module, built once at a low priority and kept in the user's cache. Standard library only.

    ~/.cache/shipper-rig/NAME/<go.mod and go.sum>-<go>/    (XDG_CACHE_HOME is respected)

The folder appears at once (built beside, then renamed), and one build at a time runs on a machine.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import signal
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.rig.kubernetes import go_tool
from tests.rig.machine import Machine
from tests.rig.shell import RigError


@dataclass(frozen=True)
class GoPrograms:
    """`module`: the folder with go.mod and go.sum, which pin everything. `packages`: one program each."""

    name: str
    module: Path
    packages: tuple[str, ...]
    flags: str = "-s -w"
    wanted_go: tuple[int, int] = (1, 24)

    def look(self) -> Path | None:
        """The folder of the built programs; None when there is none."""
        go = go_tool.find(self.wanted_go)
        if go is None:  # what any go made of the same sources
            return next((found for found in sorted(self._cache.glob(f"{self._key}-go*")) if found.is_dir()), None)
        folder = self._folder(go)
        return folder if folder.exists() else None

    def make(self, machine: Machine) -> Path:
        """The same, built when they are missing; waits for a build that another process has begun. Raises RigError."""
        self._cache.mkdir(parents=True, exist_ok=True)
        with (self._cache / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            return self.look() or self._build(go_tool.get(self.wanted_go, machine))

    def _build(self, go: Path) -> Path:
        with tempfile.TemporaryDirectory(dir=self._cache, prefix=".part-") as temporary:
            part = Path(temporary) / "whole"
            part.mkdir()
            self._run(
                go_tool.command(go, "build", "-trimpath", "-ldflags", self.flags, "-o", f"{part}/", *self.packages)
            )
            part.rename(self._folder(go))
        return self._folder(go)

    def _run(self, words: list[str]) -> None:
        """In a process group of its own: whoever stops this process stops the compilers too."""
        log = self._cache / "build.log"
        with log.open("w") as sink:
            running = subprocess.Popen(
                words, cwd=self.module, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, start_new_session=True
            )
            try:
                code = running.wait()
            except BaseException:
                os.killpg(running.pid, signal.SIGKILL)
                running.wait()
                raise
        if code != 0:
            lines = log.read_text(errors="replace").splitlines()
            told = [line for line in lines if not line.startswith("go: downloading")]
            raise RigError(f"go build failed: {' / '.join(told[-3:]) or 'it said nothing'} ({log})")

    def _folder(self, go: Path) -> Path:
        return self._cache / f"{self._key}-{go_tool.version(go)}"

    @property
    def _key(self) -> str:
        total = hashlib.sha256()
        for name in ("go.mod", "go.sum"):
            total.update((self.module / name).read_bytes())
        return total.hexdigest()[:16]

    @property
    def _cache(self) -> Path:
        home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
        return Path(home) / "shipper-rig" / self.name
