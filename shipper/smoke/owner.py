"""Who owns a candidate: a process, told apart from any other that had or will have its number.

A killed run leaves its candidate behind; the next run removes it, but never one whose owner lives.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from pathlib import Path

OWNER_LABEL = "shipper.smoke"
UNTIL_LABEL = "shipper.smoke.until"


def owner_labels(now: float, lifetime: float) -> dict[str, str]:
    """Labels of a candidate of this process, which needs it for at most `lifetime` seconds from `now` (Unix)."""
    return {OWNER_LABEL: _owner(os.getpid()), UNTIL_LABEL: str(int(now + lifetime))}


def is_orphan(labels: Mapping[str, str], now: float) -> bool:
    """Whether nobody needs the candidate with these labels any more.

    True when its owner was a process of this machine that is gone. Of another machine (or another container that
    shares the engine) nothing is known: there, true when its time is over.
    """
    place, _, process = labels.get(OWNER_LABEL, "").rpartition("/")
    if place == _place() and process:
        number = process.partition("@")[0]
        return not number.isdigit() or _owner(int(number)) != labels[OWNER_LABEL]
    until = labels.get(UNTIL_LABEL, "")
    return until.isdigit() and now > int(until)


def _owner(pid: int) -> str:
    return f"{_place()}/{pid}@{_started(pid)}"


def _place() -> str:
    """This boot and this process number space: two containers on one engine have the same boot id."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}/{Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return socket.gethostname()


def _started(pid: int) -> str:
    """When a process started, in clock ticks since boot (field 22 of /proc/<pid>/stat); "gone" without one."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return _alive_without_proc(pid)


def _alive_without_proc(pid: int) -> str:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return "gone"
    except OSError:
        return "alive"
    return "alive"
