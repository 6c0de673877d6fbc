"""A child in a session of its own, ended together with everything that it started."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Iterator

GRACE = 2.0
"""Seconds from SIGTERM to SIGKILL: CI kills our own tree 2.5 s after its SIGTERM (design.md section 5)."""

LOST = -255
"""The status of a child whose real one is not known."""

_alive: set[Group] = set()
_alive_lock = threading.RLock()  # `kill_all` may come from a signal's handler, between two lines of whoever holds it


class Group:
    """One running child and its process group. Thread-safe; never signals a process id that was given back."""

    def __init__(self, child: subprocess.Popen[bytes]) -> None:
        self.child = child
        self._lock = threading.RLock()
        self._reaped = False
        with _alive_lock:
            _alive.add(self)

    def signal(self, number: int) -> None:
        """Send a signal to the whole group, if any of it is left."""
        with self._lock:
            if not self._reaped:
                self._send(number)

    def has_exited(self) -> bool:
        """Whether the child itself has ended (it is not reaped yet, so that its id stays ours)."""
        with self._lock:
            return self._reaped or self._wait_unreaped(os.WNOHANG)

    def reap(self) -> int:
        """Kill what is left of the group, collect the child and return its status. Blocks until it has ended."""
        self._wait_unreaped()
        with self._lock:
            if not self._reaped:
                self._send(signal.SIGKILL)
                self._reaped = True
                self.child.wait()
        with _alive_lock:
            _alive.discard(self)
        return self.child.returncode

    def end(self, grace: float = GRACE) -> int:
        """SIGTERM, then SIGKILL after `grace` seconds. Returns the status."""
        self.signal(signal.SIGTERM)
        self._wait_at_most(grace)
        self.signal(signal.SIGKILL)
        return self.reap()

    def _wait_at_most(self, seconds: float) -> None:
        pause = threading.Event()
        for _ in range(max(1, round(seconds / 0.02))):
            if self.has_exited() or pause.wait(0.02):
                return

    def _wait_unreaped(self, flags: int = 0) -> bool:
        """Whether the child has ended. It stays unreaped."""
        try:
            return os.waitid(os.P_PID, self.child.pid, os.WEXITED | os.WNOWAIT | flags) is not None
        except ChildProcessError:
            # Somebody had SIGCHLD ignored before us: the kernel threw the status away. Unknown is not success.
            self.child.returncode = LOST
            return True

    def _send(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.child.pid, number)


def kill_all() -> None:
    """SIGKILL every child that is running, for leaving at once. Waits for nothing."""
    for group in _snapshot():
        group.signal(signal.SIGKILL)


def _snapshot() -> Iterator[Group]:
    with _alive_lock:
        return iter(tuple(_alive))
