"""Images of the engine, for pods: what the registry does not have is missing, even if the engine built it itself."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable
from typing import TYPE_CHECKING

import httpx

from tests.rig.google.cloudrun import instances_images
from tests.rig.kubernetes.pods import references
from tests.rig.kubernetes.pods.runtime import Image, Trouble
from tests.rig.shell import RigError

if TYPE_CHECKING:
    from docker import DockerClient

_MANIFESTS = ", ".join(
    f"application/vnd.{name}+json"
    for name in (
        "docker.distribution.manifest.v2",
        "docker.distribution.manifest.list.v2",
        "oci.image.manifest.v1",
        "oci.image.index.v1",
    )
)


class Images:
    """What a node would have pulled. The first use of a reference asks its registry, as on a node that is new."""

    def __init__(self, client: DockerClient) -> None:
        self._client = client
        self._known: dict[str, Image] = {}
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

    def get(self, reference: str, policy: str, pulling: Callable[[], None]) -> Image:
        """The image; `pulling` is called first when it is not known. Raises Trouble."""
        parsed = references.parse(reference)
        known = self._known.get(reference)
        if known is not None and policy != "Always":
            return known
        if policy == "Never":
            said = f'Container image "{reference}" is not present with pull policy of Never'
            raise Trouble("ErrImageNeverPull", said, "ErrImageNeverPull")
        with self._locks[reference]:  # not one for all: a registry that does not answer must hold up nobody else
            known = self._known.get(reference)
            if known is not None and policy != "Always":
                return known
            pulling()
            self._known[reference] = image = self._pull(reference, parsed)
            return image

    def _pull(self, reference: str, parsed: references.Reference) -> Image:
        digest = _digest(parsed)
        if digest == "missing":
            raise _not_found(reference)
        try:
            exact = f"{parsed.name}@{digest}" if digest else reference  # a tag may have moved since it was pulled
            local = instances_images.fetch(self._client, exact)
        except instances_images.ImageMissing:
            raise _not_found(reference) from None
        except (instances_images.ImageDenied, RigError) as error:
            raise _pull_failed(reference, str(error)) from error
        config = self._client.images.get(local).attrs
        command = [*(config["Config"].get("Entrypoint") or []), *(config["Config"].get("Cmd") or [])]
        shown = f"{parsed.name}@{parsed.digest or digest or local}"
        return Image(shown, config["Config"].get("User") or "", command, local, int(config.get("Size") or 0))


def _digest(parsed: references.Reference) -> str:
    """The digest that a registry on this machine has, "missing", or "" where only the engine can ask."""
    if not parsed.host.startswith(("127.0.0.1", "localhost")):
        return ""
    path = parsed.name.partition("/")[2]
    url = f"http://{parsed.host}/v2/{path}/manifests/{parsed.digest or parsed.tag}"
    try:
        with httpx.Client(trust_env=False, timeout=10) as client:
            answer = client.head(url, headers={"Accept": _MANIFESTS})
    except httpx.TransportError as error:
        raise _pull_failed(f"{parsed.name}:{parsed.tag or parsed.digest}", str(error)) from error
    if answer.status_code == 404:
        return "missing"
    return str(answer.headers.get("docker-content-digest", ""))


def _not_found(reference: str) -> Trouble:
    resolve = f'failed to resolve reference "{reference}": {reference}: not found'
    unpack = f'failed to pull and unpack image "{reference}": {resolve}'
    return Trouble("ErrImagePull", f"rpc error: code = NotFound desc = {unpack}")


def _pull_failed(reference: str, said: str) -> Trouble:
    unpack = f'failed to pull and unpack image "{reference}": {said}'
    return Trouble("ErrImagePull", f"rpc error: code = Unknown desc = {unpack}")
