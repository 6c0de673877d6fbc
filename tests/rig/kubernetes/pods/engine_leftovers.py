"""The label that says whose a container is, and removing those whose rig is gone altogether."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from docker import DockerClient

STATE = "shipper.rig.kubernetes.state"
"""On every container of nodes and routers: the folder of the process that it belongs to."""


def clear(client: DockerClient) -> int:
    """Remove the containers whose folder was deleted: nobody will ever adopt them. How many there were."""
    from docker.errors import APIError

    removed = 0
    for one in client.api.containers(all=True, filters={"label": STATE}):
        if not Path(one["Labels"][STATE]).exists():
            with contextlib.suppress(APIError):  # another process clears up too
                client.api.remove_container(one["Id"], force=True, v=True)
                removed += 1
    return removed
