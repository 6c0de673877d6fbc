"""The suite's images in the rig's registry: for every platform that pulls by digest."""

from __future__ import annotations

import contextlib
import os
import threading
import urllib.request
from functools import cached_property

import docker
from docker import DockerClient

from shipper.model import ImageRef
from shipper.targets.conformance import ImageKind
from tests.conformance.service_image import ServiceImage
from tests.rig.machine import survey


def repository() -> str:
    """Of the suite's images, in the rig's registry."""
    return f"{survey().registry}/conformance-{os.getpid()}/service"


class RegistryImages:
    """The base image with the suite's service in it, made without a build, pushed, and known by its digest."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], ImageRef] = {}
        self._making = threading.Lock()

    def __call__(self, kind: ImageKind, text: str) -> ImageRef:
        """The same arguments give the same image."""
        if kind == "missing":
            reference = f"{self._repository}@sha256:{'0' * 64}"
            return ImageRef(config_digest="sha256:" + "1" * 64, reference=reference, platform="linux/amd64")
        with self._making:
            if (kind, text) not in self._known:
                self._known[kind, text] = self._make(kind, text)
            return self._known[kind, text]

    def forget(self, image: ImageRef) -> None:
        """Its bytes are gone, from the registry and from the engine that would run it; asked for again, made again."""
        self._known = {key: known for key, known in self._known.items() if known != image}
        name, _, digest = image.reference.partition("@")
        host, _, path = name.partition("/")
        asked = urllib.request.Request(f"http://{host}/v2/{path}/manifests/{digest}", method="DELETE")
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        opener.open(asked, timeout=30).close()
        for known in (image.reference, image.config_digest):
            with contextlib.suppress(docker.errors.APIError):
                self._client.api.remove_image(known, force=True)

    def close(self) -> None:
        """Every image that was made."""
        for image in list(self._known.values()):
            self.forget(image)
        self._service.close()

    def _make(self, kind: ImageKind, text: str) -> ImageRef:
        config = self._service.commit(kind, text)
        tag = config.removeprefix("sha256:")[:12]
        self._client.api.tag(config, self._repository, tag)
        digest = ""
        for line in self._client.api.push(self._repository, tag, stream=True, decode=True):
            assert "error" not in line, line
            digest = line.get("aux", {}).get("Digest", digest)
        self._client.api.remove_image(f"{self._repository}:{tag}")  # by its digest the engine still has it
        return ImageRef(
            config_digest=config,
            manifest_digest=digest,
            reference=f"{self._repository}@{digest}",
            platform="linux/amd64",
        )

    @cached_property
    def _repository(self) -> str:
        return repository()

    @cached_property
    def _client(self) -> DockerClient:
        return docker.from_env()

    @cached_property
    def _service(self) -> ServiceImage:
        return ServiceImage(self._client, f"conformance-{os.getpid()}-registry-base")
