"""Everything that would make a release fail on this host, found before the build."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shipper.model import Problem, Settings
from shipper.model.quantities import show_size
from shipper.targets import NotFound
from shipper_targets.docker.engine import is_local, translated
from shipper_targets.docker.ports import problems_with_port
from shipper_targets.docker.render import LABEL, route_of
from shipper_targets.docker.settings import DockerSettings

if TYPE_CHECKING:
    from docker import DockerClient


LEAST_DISK = 200_000_000
LEAST_MEMORY = 6 * 2**20
"""Bytes; below it the engine refuses a limit (docker run --memory)."""


def problems_of(client: DockerClient, own: DockerSettings, settings: Settings, platform: str) -> list[Problem]:
    """All of them at once. Never writes."""
    with translated("ask the engine about itself"):
        info = client.api.info()
    return [
        *_engine(info, is_local(client)),
        *_scale(settings),
        *_secrets(settings),
        *_platform(settings, platform),
        *_capacity(settings, info),
        *_volumes(settings, is_local(client)),
        *_route(client, own, settings),
        *problems_with_port(client, own),
        *_proxy_image(client, own),
    ]


def _engine(info: dict[str, Any], local: bool) -> Iterator[Problem]:
    if info.get("OSType", "linux") != "linux":
        yield Problem(
            code=2,
            key="targets.host",
            message=f"the engine runs {info['OSType']} containers",
            hint="switch it to Linux containers",
        )
    root = Path(info.get("DockerRootDir") or "/")
    with contextlib.suppress(OSError):
        if local and root.is_dir() and (free := shutil.disk_usage(root).free) < LEAST_DISK:
            yield Problem(
                code=2,
                key="targets.host",
                message=f"the engine's disk ({root}) has {show_size(free)} left",
                hint="docker system df shows what takes the space",
            )


def _scale(settings: Settings) -> Iterator[Problem]:
    if (settings.scale.max or 1) > 1 or (settings.scale.min or 1) > 1:
        yield Problem(
            code=2,
            key="scale.max",
            message="a docker target runs exactly one container for each revision",
            hint="set scale.min and scale.max to 1, or choose a target that scales",
        )


def _secrets(settings: Settings) -> Iterator[Problem]:
    if settings.run.secrets and settings.run.secrets_as == "environment":
        yield Problem(
            code=2,
            key="run.secrets_as",
            message="on a docker target whoever may inspect a container would read them",
            hint='write secrets_as = "files": each is the file /run/secrets/NAME',
        )


def _platform(settings: Settings, platform: str) -> Iterator[Problem]:
    wanted = settings.image.platform
    if wanted is not None and wanted.split("/")[:2] != platform.split("/")[:2]:
        yield Problem(
            code=2,
            key="image.platform",
            message=f"the image is to be built for {wanted}, the host runs {platform}",
            hint=f'set platform = "{platform}", or leave it out',
        )


def _capacity(settings: Settings, info: dict[str, Any]) -> Iterator[Problem]:
    run = settings.run
    memory, cpus = int(info.get("MemTotal") or 0), int(info.get("NCPU") or 0)
    if run.memory is not None and memory and run.memory > memory:
        yield Problem(
            code=2,
            key="run.memory",
            message=f"{show_size(run.memory)} are asked for, the host has {show_size(memory)}",
            hint="ask for less",
        )
    if run.memory is not None and run.memory < LEAST_MEMORY:
        yield Problem(
            code=2,
            key="run.memory",
            message=f"a limit of {show_size(run.memory)} is too small: the engine takes no less than 6 MiB",
            hint="ask for more",
        )
    if run.cpu is not None and cpus and run.cpu > cpus:
        yield Problem(
            code=2, key="run.cpu", message=f"{run.cpu:g} CPUs are asked for, the host has {cpus}", hint="ask for less"
        )
    if run.gpu and "nvidia" not in (info.get("Runtimes") or {}):
        yield Problem(
            code=2,
            key="run.gpu",
            message=f"{run.gpu} GPUs are asked for, the engine has no GPU runtime",
            hint="install NVIDIA's container toolkit on the host",
        )


def _volumes(settings: Settings, local: bool) -> Iterator[Problem]:
    for volume in settings.run.volumes:
        source = Path(settings.service.root, volume.source)
        if local and not source.exists():
            yield Problem(
                code=2,
                key="run.volumes",
                message=f"{volume.source} is not on this host",
                hint="the engine would make an empty directory of it; give the path of what is there",
            )


def _route(client: DockerClient, own: DockerSettings, settings: Settings) -> Iterator[Problem]:
    route = route_of(settings, own)
    labels = [f"{LABEL}namespace={own.namespace}", f"{LABEL}route={route}"]
    with translated("list the containers"):
        records = client.api.containers(all=True, filters={"label": labels})
    mine = (settings.service.service, settings.service.environment)
    for record in records:
        found = record["Labels"]
        if (found.get(LABEL + "service"), found.get(LABEL + "environment")) != mine:
            yield Problem(
                code=2,
                key="targets.route",
                message=f"{route} is the route of the service {found.get(LABEL + 'service')} on this host",
                hint='give this one a route of its own: route = "…"',
            )
            return


def _proxy_image(client: DockerClient, own: DockerSettings) -> Iterator[Problem]:
    with contextlib.suppress(NotFound), translated("look for the proxy"):
        client.api.inspect_container(f"{own.namespace}-proxy")
        return
    with contextlib.suppress(NotFound), translated("look for the proxy image"):
        client.images.get(own.proxy_image)
        return
    try:
        with translated("ask for the proxy image"):
            client.images.get_registry_data(own.proxy_image)
    except Exception as error:  # noqa: BLE001 - any reason is the same to the user: it cannot be had
        yield Problem(
            code=33,
            key="targets.proxy_image",
            message=f"the proxy image {own.proxy_image} is not on the host and cannot be pulled: {error}",
            hint=f"docker pull {own.proxy_image}, or set proxy_image to one that the host can have",
        )
