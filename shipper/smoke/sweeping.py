"""Removing what killed runs left behind."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from shipper.smoke.engine import engine_errors
from shipper.smoke.owner import OWNER_LABEL, is_orphan

if TYPE_CHECKING:
    from docker import DockerClient


def sweep(client: DockerClient) -> int:
    """Remove candidates without an owner, and say how many. Two runs may sweep at once."""
    from docker.errors import APIError

    with engine_errors("list the candidates of earlier runs"):
        found = client.api.containers(all=True, filters={"label": OWNER_LABEL})
    orphans = [container["Id"] for container in found if is_orphan(container.get("Labels") or {}, time.time())]
    removed = 0
    for container_id in orphans:
        with engine_errors("remove the candidate of an earlier run"):
            try:
                client.api.remove_container(container_id, v=True, force=True)
                removed += 1
            except APIError as error:
                if error.status_code not in {404, 409}:  # gone, or another run is removing it
                    raise
    return removed
