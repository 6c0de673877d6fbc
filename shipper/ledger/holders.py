"""Who this process is, and whether another holder on this machine is still alive."""

from __future__ import annotations

import getpass
import os
import socket
import time
from pathlib import Path
from typing import Literal

from shipper.model import Holder

Life = Literal["alive", "dead", "unknown"]


def this_process(run: str, purpose: Literal["release", "rollback", "remove", "gc", "repair"], who: str = "") -> Holder:
    """The holder that this process is. `who` is "user@machine" when not given."""
    machine = socket.gethostname()
    pid = os.getpid()
    return Holder(
        run=run,
        purpose=purpose,
        who=who or f"{_user()}@{machine}",
        machine=machine,
        pid=pid,
        boot=boot(),
        birth=_birth(pid) or "",
        since=time.time(),
    )


def boot() -> str:
    """This boot of this machine and this space of pids (a container has one of its own); "" where none is known."""
    try:
        kernel = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{kernel}/{Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def life_of(holder: Holder) -> Life:
    """Whether its process lives, as far as this machine can say: only about processes of its own boot."""
    if not holder.boot or holder.boot != boot():
        return "unknown"
    try:
        os.kill(holder.pid, 0)
    except ProcessLookupError:
        return "dead"
    except OSError:  # another user's: there, and not to be looked into
        return "alive"
    birth = _birth(holder.pid)
    if birth is None:  # hidden, or a zombie that nobody has buried yet
        return "dead" if _is_zombie(holder.pid) else "alive"
    return "alive" if not holder.birth or holder.birth == birth else "dead"


def _birth(pid: int) -> str | None:
    """Its start in clock ticks since boot (proc(5), field 22); None when it has none or is not alive."""
    fields = _stat(pid)
    return fields[19] if len(fields) > 19 and fields[0] not in "ZX" else None


def _is_zombie(pid: int) -> bool:
    return _stat(pid)[:1] in (["Z"], ["X"])


def _stat(pid: int) -> list[str]:
    """The fields after the command's name, from the third on."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user that has no name
        return str(os.getuid())
