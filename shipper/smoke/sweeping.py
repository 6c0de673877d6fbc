"""Removing what killed runs left behind."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from shipper.smoke.engine import engine_errors
from shipper.smoke.owner import OWNER_LABEL, is_orphan

if TYPE_CHECKING:
    from docker import DockerClient


def sweep(client: DockerClient) -> int:
    """Remove candidates without an owner, with their volumes; how many containers. Two runs may sweep at once."""
    with engine_errors("list what earlier runs left behind"):
        containers = client.api.containers(all=True, filters={"label": OWNER_LABEL})
    orphans = [found["Id"] for found in containers if _is_orphan(found)]
    for container_id in orphans:
        _remove(partial(client.api.remove_container, container_id, v=True, force=True))
    with engine_errors("list what earlier runs left behind"):
        volumes = client.api.volumes(filters={"label": OWNER_LABEL}).get("Volumes") or []
    for volume in volumes:
        if _is_orphan(volume):
            _remove(partial(client.api.remove_volume, volume["Name"], force=True))
    return len(orphans)


def _is_orphan(found: Mapping[str, Any]) -> bool:
    return is_orphan(found.get("Labels") or {}, time.time())


def _remove(remove: Callable[[], object]) -> None:
    from docker.errors import APIError

    with engine_errors("remove what an earlier run left behind"):
        try:
            remove()
        except APIError as error:
            if error.status_code not in {404, 409}:  # gone, or another run is removing it
                raise
