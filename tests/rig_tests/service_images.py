"""The conformance suite's service as images of the rig's registry."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager

import docker

from shipper.targets.conformance import ImageKind
from tests.conformance.service_image import ServiceImage
from tests.rig.api import Rig


class ServiceImages:
    """`make` gives a reference by digest."""

    def __init__(self, client: docker.DockerClient, registry: str) -> None:
        self._client = client
        self._repository = f"{registry}/rig-tests/service-{os.getpid()}"
        self._base = ServiceImage(client, f"rig-tests-service-{os.getpid()}")
        self._numbers = itertools.count(1)
        self._made: list[str] = []

    def make(self, kind: ImageKind, text: str) -> str:
        """An image that behaves like `kind` and answers `text`, pushed; it runs as user 1234."""
        tag = f"v{next(self._numbers)}"
        self._client.api.tag(self._base.commit(kind, text), self._repository, tag)
        self._made.append(f"{self._repository}:{tag}")
        for line in self._client.api.push(self._repository, tag, stream=True, decode=True):
            if "error" in line:
                raise AssertionError(line["error"])
        return f"{self._repository}@{self._client.images.get_registry_data(self._made[-1]).id}"

    def close(self) -> None:
        """Take the names away; what runs keeps its layers."""
        self._base.close()
        for name in self._made:
            self._client.api.remove_image(name, force=True)


@contextmanager
def service_images(rig: Rig) -> Iterator[ServiceImages]:
    client = docker.from_env(timeout=120)
    images = ServiceImages(client, rig.registry)
    try:
        yield images
    finally:
        images.close()
        client.close()
