"""Background processes that outlive the command that started them, known by pid file and process name."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.rig.shell import RigError


@dataclass(frozen=True)
class Daemon:
    """One background process: the name it must have, where its number is written, where it logs."""

    name: str
    pidfile: Path
    log: Path

    def pid(self) -> int | None:
        """Its process number while it runs; a stale file whose number another program took is not it."""
        try:
            pid = int(self.pidfile.read_text())
        except (OSError, ValueError):
            return None
        return pid if _is_running(pid, self.name) else None

    def start(self, argv: Sequence[str | Path], answers: Callable[[], bool], patience: float = 30) -> None:
        """Start it in a session of its own and wait until it answers."""
        self.pidfile.unlink(missing_ok=True)
        with self.log.open("a") as log:
            process = subprocess.Popen(
                [str(word) for word in argv],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.pidfile.write_text(str(process.pid))
        if not wait_until(lambda: process.poll() is not None or answers(), patience) or process.poll() is not None:
            self.stop()
            raise RigError(f"{self.name} does not answer; the end of its log: {_last_line(self.log)} ({self.log})")

    def stop(self, patience: float = 30) -> bool:
        """End it, politely first; True when there was something to end."""
        pid = self.pid()
        if pid is not None:
            os.kill(pid, signal.SIGTERM)
            if not wait_until(lambda: self.pid() is None, patience):
                os.kill(pid, signal.SIGKILL)
        self.pidfile.unlink(missing_ok=True)
        return pid is not None


def forget_dead(name: str, pidfile: Path) -> None:
    """Remove a pid file whose process was killed: its number is a zombie's or another program's by now."""
    if Daemon(name, pidfile, pidfile).pid() is None:
        pidfile.unlink(missing_ok=True)


def wait_until(condition: Callable[[], bool], patience: float, pause: float = 0.05) -> bool:
    """Poll until `condition` holds; False when `patience` seconds passed first."""
    deadline = time.monotonic() + patience
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
    return True


def namesakes(name: str) -> list[int]:
    """Processes called `name` in this process's own network namespace."""
    network = Path("/proc/self/ns/net")
    if not network.exists():
        return []
    here = network.stat().st_ino
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            same_network = (entry / "ns" / "net").stat().st_ino == here
        except OSError:
            continue
        if same_network and _is_running(int(entry.name), name):
            found.append(int(entry.name))
    return found


def _is_running(pid: int, name: str) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    comm, _, rest = stat.partition("(")[2].rpartition(")")
    return comm == name[:15] and not rest.strip().startswith(("Z", "X"))


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1][-300:] if lines else "empty"
