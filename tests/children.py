"""Whether processes that a test knows by id are gone."""

from __future__ import annotations

import os
import time
from pathlib import Path


def is_running(pid: int) -> bool:
    """A zombie has ended: its parent is only slow to hear of it."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def assert_gone(*pids: int, within: float = 5.0) -> None:
    """They end within so many seconds."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline and any(is_running(pid) for pid in pids):
        os.sched_yield()
    assert not [pid for pid in pids if is_running(pid)]
