"""The suite's images in a registry, the rig's or a cloud's: for every platform that pulls by digest."""

from __future__ import annotations

import contextlib
import itertools
import os
import threading
import urllib.request
from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import cached_property

import docker
from docker import DockerClient

from shipper.model import ImageRef
from shipper.targets.conformance import ImageKind
from tests.conformance.service_image import ServiceImage
from tests.rig.machine import survey

_COUNT = itertools.count(1)


def repository() -> str:
    """Of the suite's images, in the rig's registry."""
    return f"{survey().registry}/conformance-{os.getpid()}/service"


class PushedImages(ABC):
    """The base image with the suite's service in it, made without a build, pushed, and known by its digest."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], ImageRef] = {}
        self._making = threading.Lock()

    @property
    @abstractmethod
    def repository(self) -> str:
        """Where they are pushed to."""

    @abstractmethod
    def delete(self, digest: str) -> None:
        """From the registry."""

    def credentials(self) -> Mapping[str, str] | None:
        """For a push; None where nobody asks for them."""
        return None

    def __call__(self, kind: ImageKind, text: str) -> ImageRef:
        """The same arguments give the same image."""
        if kind == "missing":
            reference = f"{self.repository}@sha256:{'0' * 64}"
            return ImageRef(config_digest="sha256:" + "1" * 64, reference=reference, platform="linux/amd64")
        with self._making:
            if (kind, text) not in self._known:
                self._known[kind, text] = self._make(kind, text)
            return self._known[kind, text]

    def forget(self, image: ImageRef) -> None:
        """Its bytes are gone, from the registry and from the engine that would run it; asked for again, made again."""
        self._known = {key: known for key, known in self._known.items() if known != image}
        self.delete(image.reference.partition("@")[2])
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
        name, tag = self.repository, config.removeprefix("sha256:")[:12]
        self._client.api.tag(config, name, tag)
        digest = ""
        for line in self._client.api.push(name, tag, stream=True, decode=True, auth_config=self.credentials()):
            assert "error" not in line, line
            digest = line.get("aux", {}).get("Digest", digest)
        self._client.api.remove_image(f"{name}:{tag}")  # by its digest the engine still has it
        return ImageRef(
            config_digest=config, manifest_digest=digest, reference=f"{name}@{digest}", platform="linux/amd64"
        )

    @cached_property
    def _client(self) -> DockerClient:
        return docker.from_env()

    @cached_property
    def _service(self) -> ServiceImage:
        return ServiceImage(self._client, f"conformance-{os.getpid()}-base-{next(_COUNT)}")


class RegistryImages(PushedImages):
    """In the rig's registry, which asks nobody who he is."""

    @cached_property
    def repository(self) -> str:
        return repository()

    def delete(self, digest: str) -> None:
        host, _, path = self.repository.partition("/")
        asked = urllib.request.Request(f"http://{host}/v2/{path}/manifests/{digest}", method="DELETE")
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(asked, timeout=30).close()
