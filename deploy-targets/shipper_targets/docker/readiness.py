"""What is known about a revision that should be ready: facts for the diagnosis that smoke and adapter share."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from shipper.model import HealthSettings, ProbeResponse, RunSettings
from shipper.targets import difference
from shipper.targets.diagnosis import Facts, Listener, parse_listeners
from shipper_targets.docker.containers import Containers, Found

_TABLES = ("/proc/net/tcp", "/proc/net/tcp6")
_READERS = (
    ["cat", *_TABLES],
    ["python3", "-c", "import sys\nfor p in sys.argv[1:]:\n  print(open(p).read())", *_TABLES],
)


def unready_because(health: HealthSettings, response: ProbeResponse) -> str:
    """Empty when the answer means ready, else why it does not. Pure."""
    import json

    if response.status != health.status:
        return f"{health.path} answers {response.status}, not {health.status}"
    if health.json_ is None:
        return ""
    try:
        found = json.loads(response.body)
    except ValueError:
        return f"{health.path} does not answer with JSON"
    return difference(health.json_, found) or ""


def has_ended(record: Mapping[str, Any]) -> bool:
    """Whether the container has crashed, or crashes again and again. Pure."""
    state = record["State"]
    return bool(state["Restarting"] or record["RestartCount"] or state["Status"] in ("exited", "dead"))


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
    ended = has_ended(record) or bool(start_error)
    return Facts(
        port=run.port,
        path=health.path,
        expected_status=health.status,
        running=not ended,
        exit_code=int(state["ExitCode"]) if has_ended(record) else None,
        out_of_memory=bool(state.get("OOMKilled")),
        memory_limit=run.memory,
        listeners=None if ended else _listeners(containers, found, record),
        last_status=last_status,
        last_problem=problem,
        start_error=start_error or str(state.get("Error") or ""),
        log=tuple(containers.logs(found, 40)),
        engine_platform=engine_platform,
        user=str(record["Config"].get("User") or ""),
        waited=waited,
    )


def _listeners(containers: Containers, found: Found, record: Mapping[str, Any]) -> tuple[Listener, ...] | None:
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
