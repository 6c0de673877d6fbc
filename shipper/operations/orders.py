"""Who orders this run: shown to whoever has to wait for it, and kept in the ledger."""

from __future__ import annotations

import getpass
import os
import socket
from pathlib import Path
from typing import Literal

from shipper.model import Holder, Order

Purpose = Literal["release", "rollback", "remove", "gc", "repair"]

_BOOT = Path("/proc/sys/kernel/random/boot_id")  # Linux: proc(5)


def order_of(
    run: str, purpose: Purpose, now: float, *, wait: float = 0.0, allow_older: bool = False, reason: str = ""
) -> Order:
    """The order of this very process. `run` is the run's id, as its events carry it; `now` Unix seconds."""
    machine = socket.gethostname()
    by = Holder(
        run=run,
        purpose=purpose,
        who=f"{_user()}@{machine}",
        machine=machine,
        pid=os.getpid(),
        boot=_boot_id(),
        since=now,
    )
    return Order(by=by, wait=wait, allow_older=allow_older, reason=reason)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return f"user {os.getuid()}"


def _boot_id() -> str:
    """Empty where the system has none: then no holder of this machine counts as dead before its time."""
    try:
        return _BOOT.read_text(encoding="ascii").strip()
    except OSError:
        return ""
