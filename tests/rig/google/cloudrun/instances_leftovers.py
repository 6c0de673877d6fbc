"""The labels of the rig's Cloud Run containers, and removing those whose process is gone."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from docker import DockerClient

RIG = "shipper.rig.cloudrun"
"""Every container of the rig's Cloud Run has this label; its value says which process it belongs to."""

REVISION = "shipper.rig.cloudrun.revision"
"""The revision's full name."""


def labels(revision: str) -> dict[str, str]:
    """The labels of a container of this process."""
    return {RIG: f"{os.getpid()}-{_started(os.getpid())}", REVISION: revision}


def clear(client: DockerClient) -> int:
    """Remove the containers of processes that were killed; how many there were. Those of living ones stay."""
    from docker.errors import APIError

    removed = 0
    for container in client.api.containers(all=True, filters={"label": RIG}):
        pid, _, started = str(container["Labels"][RIG]).partition("-")
        if _started(int(pid)) != started:
            with contextlib.suppress(APIError):  # another process clears up too
                client.api.remove_container(container["Id"], force=True, v=True)
                removed += 1
    return removed


def _started(pid: int) -> str:
    """When the process started, in ticks since the machine did; "" when there is none of that number."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    return stat.rpartition(")")[2].split()[19]
