"""The few calls to the docker command that the rig makes."""

from __future__ import annotations

import shutil
import urllib.error
import urllib.request
from pathlib import Path

from tests.rig.machine import Machine
from tests.rig.shell import RigError, attempt, run

_MANIFESTS = ", ".join(
    [
        "application/vnd.docker.distribution.manifest.v2+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.oci.image.index.v1+json",
    ]
)


def docker(*words: str | Path, log: Path | None = None) -> str:
    """Run the docker command; its output, or a RigError with what it said."""
    return run(["docker", *words], log=log).strip()


def engine_answers() -> bool:
    """Whether an engine answers, wherever the docker command of this user points."""
    return shutil.which("docker") is not None and attempt(["docker", "version"]) is not None


def image_id(name: str) -> str | None:
    """The engine's id of an image; None when it has none of that name."""
    return attempt(["docker", "image", "inspect", "--format", "{{.Id}}", name])


def registry_answers(machine: Machine) -> bool:
    """Whether a registry answers on the rig's port."""
    return _status(f"http://{machine.registry}/v2/") == 200


def registry_has(machine: Machine, image: str) -> bool:
    """Whether the rig's registry would serve `docker pull IMAGE` as the engine's mirror."""
    name, _, tag = image.partition(":")
    return _status(f"http://{machine.registry}/v2/library/{name}/manifests/{tag}", Accept=_MANIFESTS) == 200


def publish(machine: Machine, image: str) -> None:
    """Push an image of the engine to the rig's registry, under the name Docker Hub would have it."""
    there = f"{machine.registry}/library/{image}"
    docker("tag", image, there)
    try:
        docker("push", "--quiet", there)
    finally:
        docker("rmi", there)


def pull(image: str) -> None:
    """Pull an image, with advice when that fails."""
    try:
        docker("pull", "--quiet", image)
    except RigError as error:
        raise RigError(
            f"{error}; check this machine's way to the registry, or bring {image} by `docker load`"
        ) from None


def _status(url: str, **headers: str) -> int:
    """The status of a HEAD request on loopback, straight and not through a proxy; 0 without an answer."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        request = urllib.request.Request(url, method="HEAD", headers=headers)
        with opener.open(request, timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0
