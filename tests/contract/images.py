"""The images of a run: built by the Docker engine, pushed to Artifact Registry, deleted when the run ends."""

from __future__ import annotations

import contextlib
import io
import json
import tarfile
import threading
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import quote

import docker

from shipper.model import ImageRef
from shipper.registries.artifact_repository import ArtifactRepository, artifact_repository
from shipper.registries.login import Login
from shipper.registries.names import parse_repository
from shipper.registries.reader import INDEX_TYPES, RegistryReader
from shipper.targets.conformance import ImageKind
from tests.conformance.cloudrun_by_hand import until
from tests.contract.by_hand import ARTIFACTS, ByHand
from tests.contract.project import LABEL, Project

PLATFORM = "linux/amd64"
BASE = "python:3.11-slim"


class Images:
    """Each (kind, text) once. What is built stays in the engine's cache; tags there go at once."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._by_hand = ByHand(project)
        self._known: dict[tuple[str, str], ImageRef] = {}
        self._making = threading.Lock()

    def __call__(self, kind: ImageKind, text: str) -> ImageRef:
        if kind == "missing":
            reference = f"{self._project.package}@sha256:{'0' * 64}"
            return ImageRef(config_digest="sha256:" + "1" * 64, reference=reference, platform=PLATFORM)
        with self._making:
            if (kind, text) not in self._known:
                self._known[kind, text] = self._make(kind, text)
            return self._known[kind, text]

    def forget(self, image: ImageRef) -> None:
        """Delete it from the repository; asked for again, it is pushed again."""
        self._known = {key: known for key, known in self._known.items() if known != image}
        digest = image.reference.partition("@")[2]
        self._by_hand.needed("DELETE", ARTIFACTS, f"{package_name(self._project)}/versions/{digest}", force="true")
        there = registered(self._project)
        name = f"{there.resource}/dockerImages/{quote(there.image, safe='')}@{digest}"
        until(lambda: self._by_hand.ask("GET", ARTIFACTS, name)[0] == 404 or None, f"{name} to be gone")

    def _make(self, kind: str, text: str) -> ImageRef:
        if not self._known:
            self._ensure()
        repository = self._project.package
        tag = f"{kind}-{len(self._known)}"
        name = f"{repository}:{tag}"
        self._client.images.build(
            fileobj=_context(kind, text), custom_context=True, tag=name, platform=PLATFORM, rm=True
        )
        login = Login(parse_repository(repository))
        digest = self._push(repository, tag, login)
        self._client.api.remove_image(name)
        return _described(repository, digest, login)

    def _push(self, repository: str, tag: str, login: Login) -> str:
        given = login()
        auth = given.for_engine() if given else None
        digest = ""
        for line in self._client.api.push(repository, tag, stream=True, decode=True, auth_config=auth):
            assert "error" not in line, line
            digest = line.get("aux", {}).get("Digest", digest)
        assert digest, f"the engine did not say what it pushed to {repository}:{tag}"
        return str(digest)

    def _ensure(self) -> None:
        """The repository is made when it is not there, and stays. With immutable tags nothing could be deleted."""
        there = registered(self._project)
        status, found = self._by_hand.ask("GET", ARTIFACTS, there.resource)
        if status == 404:
            body = {"format": "DOCKER", "labels": {LABEL: "yes"}}
            made, said = self._by_hand.ask("POST", ARTIFACTS, _home(there), body, repositoryId=there.name)
            assert made in (200, 409), f"{there.create_command}: {made} {said}"
            found = until(self._found, f"the repository {there.resource}")
        immutable = found.get("dockerConfig", {}).get("immutableTags")
        assert not immutable, f"{there.resource} has immutable tags: images of this test could never be deleted"

    def _found(self) -> dict[str, Any] | None:
        status, found = self._by_hand.ask("GET", ARTIFACTS, registered(self._project).resource)
        return found if status == 200 else None

    @cached_property
    def _client(self) -> docker.DockerClient:
        return docker.from_env(timeout=300)


def registered(project: Project) -> ArtifactRepository:
    """The repository in the API's words."""
    found = artifact_repository(parse_repository(project.package))
    assert found is not None, f"{project.repository} is no repository of Artifact Registry"
    return found


def package_name(project: Project) -> str:
    """This run's package in the API."""
    there = registered(project)
    return f"{there.resource}/packages/{quote(there.image, safe='')}"


def _home(there: ArtifactRepository) -> str:
    return f"{there.parent}/repositories"


def _context(kind: str, text: str) -> io.BytesIO:
    """A build context: the command is JSON, so that nothing in the text means anything."""
    command = json.dumps(["python", "-u", "/answering.py", kind, text])
    lines = f"FROM {BASE}\nCOPY service.py answering.py /\nUSER 1234:1234\nCMD {command}\n"
    content = io.BytesIO()
    sources = {
        "Dockerfile": lines.encode(),
        "service.py": files("shipper.targets.conformance").joinpath("service.py").read_bytes(),
        "answering.py": Path(__file__).with_name("answering.py").read_bytes(),
    }
    with tarfile.open(fileobj=content, mode="w") as archive:
        for name, source in sources.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(source), 0o644
            archive.addfile(entry, io.BytesIO(source))
    content.seek(0)
    return content


def _described(repository: str, digest: str, login: Login) -> ImageRef:
    """By the registry's own words: an engine with containerd's store may have pushed an index of one image."""
    with contextlib.closing(RegistryReader(parse_repository(repository), login, login.renew)) as reader:
        found = _manifest(reader, digest)
        if found.get("mediaType") in INDEX_TYPES:
            ours = (one for one in found["manifests"] if one.get("platform", {}).get("architecture") == "amd64")
            digest = str(next(ours)["digest"])
            found = _manifest(reader, digest)
    return ImageRef(
        config_digest=str(found["config"]["digest"]),
        manifest_digest=digest,
        reference=f"{repository}@{digest}",
        platform=PLATFORM,
    )


def _manifest(reader: RegistryReader, digest: str) -> dict[str, Any]:
    held = reader.manifest(digest)
    assert held is not None, f"the registry does not have {digest} that was just pushed"
    found: dict[str, Any] = json.loads(held.content)
    return found
