"""What is known about a container that should be ready: facts for the diagnosis that smoke and adapter share."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from shipper.model import HealthSettings, RunSettings
from shipper.targets.diagnosis import Facts, Listener, parse_listeners
from shipper_targets.docker.containers import Containers, Found

LOG_LINES = 40
_TABLES = ("/proc/net/tcp", "/proc/net/tcp6")
_READERS = (
    ["cat", *_TABLES],
    ["python3", "-c", "import sys\nfor p in sys.argv[1:]:\n  print(open(p).read())", *_TABLES],
)


def has_ended(record: Mapping[str, Any]) -> bool:
    """Whether the container has crashed, or crashes again and again. Pure."""
    state = record["State"]
    return bool(state["Restarting"] or state["Status"] in ("exited", "dead"))


def gather(
    containers: Containers,
    found: Found,
    record: Mapping[str, Any],
    run: RunSettings,
    health: HealthSettings,
    *,
    start_error: str = "",
    last_status: int | None = None,
    problem: str = "",
    waited: float | None = None,
    engine_platform: str = "",
) -> Facts:
    """Everything that can be found out about this container now."""
    state = record["State"]
    start_error = start_error or str(state.get("Error") or "")
    ended = has_ended(record) or bool(start_error)
    return Facts(
        port=run.port,
        path=health.path,
        expected_status=health.status,
        running=not ended,
        exit_code=int(state["ExitCode"]) if has_ended(record) and not start_error else None,
        out_of_memory=containers.ran_out_of_memory(found, record),
        memory_limit=run.memory,
        listeners=None if ended else listeners_of(containers, found, record),
        last_status=last_status,
        last_problem=problem,
        start_error=start_error,
        log=tuple(containers.logs(found, LOG_LINES)),
        image_platform=containers.image_platform(str(record["Image"])),
        engine_platform=engine_platform,
        user=str(record["Config"].get("User") or ""),
        waited=waited,
    )


def listeners_of(containers: Containers, found: Found, record: Mapping[str, Any]) -> tuple[Listener, ...] | None:
    """(address, port) of every listening socket in the container; None when that cannot be read."""
    table = _from_this_kernel(record)
    if table is None:
        table = next((text for reader in _READERS if (text := containers.execute(found, reader)) is not None), None)
    return None if table is None else parse_listeners(table)


def _from_this_kernel(record: Mapping[str, Any]) -> str | None:
    """The kernel's own table: needs no program in the image, but only a local engine's processes are here."""
    home = Path("/proc") / str(record["State"].get("Pid") or "none")
    try:
        if str(record["Id"]) not in (home / "cgroup").read_text():
            return None
        return "\n".join((home / "net" / name).read_text() for name in ("tcp", "tcp6"))
    except OSError:
        return None
