"""On which ports a candidate really listens: read from its own network namespace."""

from __future__ import annotations

from pathlib import Path

from shipper.smoke.candidate import Candidate
from shipper.targets.diagnosis import Listener, parse_listeners

_TABLES = ("/proc/net/tcp", "/proc/net/tcp6")
_READERS = (
    ["cat", *_TABLES],
    ["python3", "-c", "import sys\nfor p in sys.argv[1:]:\n  print(open(p).read())", *_TABLES],
)


def listeners_of(candidate: Candidate) -> tuple[Listener, ...] | None:
    """(address, port) of every listening socket; None when neither the kernel nor the image lets us see.

    The kernel's own table needs no program in the image, but only an engine on this very kernel has it.
    """
    table = _from_this_kernel(candidate)
    if table is None:
        table = next((text for reader in _READERS if (text := candidate.execute(reader)) is not None), None)
    return None if table is None else parse_listeners(table)


def _from_this_kernel(candidate: Candidate) -> str | None:
    record = candidate.inspect()
    process, container_id = record["State"].get("Pid"), record["Id"]
    if not process:
        return None
    home = Path("/proc") / str(process)
    try:
        # The number is the engine's: in another process number space it would be somebody else's.
        if container_id not in (home / "cgroup").read_text():
            return None
        return "\n".join((home / "net" / name).read_text() for name in ("tcp", "tcp6"))
    except OSError:
        return None
