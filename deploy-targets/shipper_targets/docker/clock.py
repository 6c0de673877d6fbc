"""The engine's clock: what it says of when something happened is by this one, not by ours."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shipper_targets.docker.engine import translated

if TYPE_CHECKING:
    from docker import DockerClient


def engine_time(client: DockerClient) -> float:
    """Unix seconds."""
    with translated("ask the engine for its time"):
        return seconds_of(str(client.api.info()["SystemTime"]))


def seconds_of(text: str) -> float:
    """Unix seconds of the engine's "2026-01-02T03:04:05.678901234Z" or "…+01:00"."""
    from datetime import datetime

    zone = text[-6:] if text[-6:-5] in ("+", "-") else "+00:00"
    return datetime.fromisoformat(text[:19] + zone).timestamp()
