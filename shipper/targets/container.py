"""`[run]` -> container options: one pure function, shared by the smoke test and by the docker adapter.

What was tried is what runs: the same user, limits, capabilities, file system and environment.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from shipper.model import RunSettings

SECRETS_DIRECTORY = "/run/secrets"
PIDS_LIMIT = 4096


def container_options(
    run: RunSettings, *, root: str, secrets_volume: str | None = None, labels: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Keyword arguments for the docker SDK's `containers.create(image, …)`, without name and network.

    `root` is the directory that relative volume sources start from; `secrets_volume` the named volume that holds
    the secret files. Memory is a hard limit without swap; capabilities beyond the engine's default set are never
    added and privileges never gained (no-new-privileges).
    """
    options: dict[str, Any] = {
        "environment": {"PORT": str(run.port), **run.env},
        "init": run.init,
        "security_opt": ["no-new-privileges:true"],
        "pids_limit": PIDS_LIMIT,
        "labels": dict(labels or {}),
        "volumes": _volumes(run, root, secrets_volume),
        "log_config": {"type": "json-file", "config": {"max-size": "10m", "max-file": "3"}},
    }
    if run.command is not None:
        options["command"] = list(run.command)
    if run.user is not None:
        options["user"] = run.user
    if run.cpu is not None:
        options["nano_cpus"] = round(run.cpu * 1e9)
    if run.memory is not None:
        options["mem_limit"] = run.memory
        options["memswap_limit"] = run.memory
    if run.read_only:
        options["read_only"] = True
        options["tmpfs"] = {"/tmp": "rw,noexec,nosuid,size=64m"}  # noqa: S108 - a mount inside the container
    if run.gpu:
        options["device_requests"] = [{"Driver": "", "Count": run.gpu, "Capabilities": [["gpu"]]}]
    return options


def _volumes(run: RunSettings, root: str, secrets_volume: str | None) -> dict[str, dict[str, str]]:
    volumes = {str(Path(root, volume.source)): {"bind": volume.target, "mode": "ro"} for volume in run.volumes}
    if secrets_volume is not None:
        volumes[secrets_volume] = {"bind": SECRETS_DIRECTORY, "mode": "ro"}
    return volumes
