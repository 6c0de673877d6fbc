"""Images of the suite's service, made without a build: the base image with the program in it, one commit each."""

from __future__ import annotations

import contextlib
import io
import tarfile
from functools import cached_property
from importlib.resources import files

import docker
from docker import DockerClient

from shipper.targets.conformance import ImageKind
from tests.rig.images import BASE


class ServiceImage:
    """A container that never runs, with the service in it; it is made for the first image."""

    def __init__(self, client: DockerClient, name: str) -> None:
        self._client = client
        self._name = name

    def commit(self, kind: ImageKind, text: str) -> str:
        """An image of the engine's that behaves like `kind` and answers `text`; gives its config digest.

        It never runs as root. Raises docker.errors.APIError.
        """
        conf = {"Cmd": ["python", "-u", "/service.py", kind, text], "User": "1234:1234"}
        return str(self._client.api.commit(self._container, conf=conf)["Id"])

    def close(self) -> None:
        """Remove the container; its images stay."""
        with contextlib.suppress(docker.errors.NotFound):  # no image was asked for
            self._client.api.remove_container(self._name, force=True)

    @cached_property
    def _container(self) -> str:
        made = self._client.api.create_container(BASE, command=["true"], name=self._name)
        program = files("shipper.targets.conformance").joinpath("service.py").read_bytes()
        content = io.BytesIO()
        with tarfile.open(fileobj=content, mode="w") as archive:
            entry = tarfile.TarInfo("service.py")
            entry.size, entry.mode = len(program), 0o644
            archive.addfile(entry, io.BytesIO(program))
        self._client.api.put_archive(made["Id"], "/", content.getvalue())
        return str(made["Id"])
