"""A RunSpec as a container of the Docker engine.

From https://cloud.google.com/run/docs/container-contract: PORT and the K_ variables, the memory limit is hard (swap
counts into it), command and args replace the image's, the image's own user counts and its HEALTHCHECK does not.

What it gets wrong: the file system is the engine's and not in memory; no gVisor; no metadata server and no service
account in the container; CPU is never throttled between requests, and more cores than the engine has become all it
has; GPUs are not given; Cloud Storage volumes are plain directories (bind mounts).
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from tests.rig.google.cloudrun.contract import RunSpec, World

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container
    from docker.types import Mount


def create(
    client: DockerClient, spec: RunSpec, world: World, *, image: str, folder: Path, labels: Mapping[str, str]
) -> Container:
    """A container that is not started yet. `folder` is new, and takes the files of secrets.

    ApiError when a secret cannot be read. The platform's own variables win over the template's.
    """
    return client.containers.create(
        image,
        command=_command(client, spec, image),
        entrypoint=list(spec.command) or None,
        environment={**spec.env, **_secrets(spec, world), **_own(spec)},
        working_dir=spec.working_dir or None,
        healthcheck={"test": ["NONE"]},
        mem_limit=spec.memory,
        memswap_limit=spec.memory,
        nano_cpus=int(min(spec.cpu, client.info()["NCPU"]) * 1_000_000_000),
        mounts=[*_secret_mounts(spec, world, folder), *_bucket_mounts(spec, world), *_memory_mounts(spec)],
        name=f"cloudrun-{spec.revision_id}-{uuid.uuid4().hex[:8]}",
        labels=dict(labels),
        detach=True,
    )


def _command(client: DockerClient, spec: RunSpec, image: str) -> list[str] | None:
    """Args replace CMD. With a command of the template's own, CMD goes too, as in Kubernetes."""
    if spec.args:
        return list(spec.args)
    if spec.command:
        return []
    configured = client.images.get(image).attrs["Config"].get("Cmd")
    return list(configured) if configured else None


def _own(spec: RunSpec) -> dict[str, str]:
    return {
        "PORT": str(spec.port),
        "K_SERVICE": spec.service_id,
        "K_REVISION": spec.revision_id,
        "K_CONFIGURATION": spec.service_id,
    }


def _secrets(spec: RunSpec, world: World) -> dict[str, str]:
    return {name: world.secret(ref).decode() for name, ref in spec.secret_env.items()}


def _secret_mounts(spec: RunSpec, world: World, folder: Path) -> list[Mount]:
    """One read-only directory for each volume: what the image has there is hidden, as it is in Cloud Run."""
    from docker.types import Mount

    places: dict[PurePosixPath, Path] = {}
    for item in spec.secret_files:
        path = PurePosixPath(item.path)
        place = places.setdefault(path.parent, folder / f"secret-{len(places)}")
        place.mkdir(exist_ok=True)
        file = place / path.name
        file.write_bytes(world.secret(item.ref))
        file.chmod(item.mode)
    return [Mount(str(path), str(place), type="bind", read_only=True) for path, place in places.items()]


def _bucket_mounts(spec: RunSpec, world: World) -> list[Mount]:
    from docker.types import Mount

    return [
        Mount(
            bucket.mount_path,
            str(Path(world.bucket(bucket.bucket)) / bucket.only_dir.strip("/")),
            type="bind",
            read_only=bucket.read_only,
        )
        for bucket in spec.buckets
    ]


def _memory_mounts(spec: RunSpec) -> list[Mount]:
    from docker.types import Mount

    return [
        Mount(memory.mount_path, None, type="tmpfs", tmpfs_size=memory.size or spec.memory)
        for memory in spec.memory_mounts
    ]
