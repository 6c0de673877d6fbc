"""SIGKILL for a process and everything that came from it, whatever sessions they made themselves; nothing else."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

_PATIENCE = 1.0


def kill_tree(root: int) -> tuple[int, ...]:
    """Kill a process of ours with all its descendants and return their ids, the root first.

    Each is stopped before its children are looked for, so that nobody can fork away meanwhile. The root must not be
    reaped yet: its id could be somebody else's.
    """
    found: list[int] = []
    waiting = [root]
    while waiting:
        pid = waiting.pop(0)
        if _stop(pid):
            found.append(pid)
            waiting += _children(pid)
    for pid in found:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return tuple(found)


def _stop(pid: int) -> bool:
    """Whether it was there to be stopped; it has stopped when this returns."""
    try:
        os.kill(pid, signal.SIGSTOP)
    except ProcessLookupError:
        return False
    deadline = time.monotonic() + _PATIENCE
    while _running(pid) and time.monotonic() < deadline:
        os.sched_yield()
    return True


def _running(pid: int) -> bool:
    """Whether any thread is neither stopped nor dead: one in the kernel stops a moment after the signal."""
    return any(state not in "TtZX" for state in _states(pid))


def _states(pid: int) -> list[str]:
    states = []
    for task in _tasks(pid):
        with contextlib.suppress(OSError):
            states.append((task / "stat").read_text().rpartition(")")[2].split()[0])
    return states


def _children(pid: int) -> list[int]:
    children: list[int] = []
    for task in _tasks(pid):
        with contextlib.suppress(OSError):
            children += map(int, (task / "children").read_text().split())
    return children


def _tasks(pid: int) -> list[Path]:
    with contextlib.suppress(OSError):
        return list(Path(f"/proc/{pid}/task").iterdir())
    return []
