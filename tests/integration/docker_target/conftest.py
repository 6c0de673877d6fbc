"""A real engine, a namespace of this process's own, and a service on it in one line."""

from __future__ import annotations

import contextlib
import io
import itertools
import os
import socket
import subprocess
import tarfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import docker
import httpx
import pytest
from docker import DockerClient

from shipper.model import ImageRef, Progress, Release, Revision, Settings, Stamp, fingerprint_of, new_release_id
from shipper.model.secret import Secret
from shipper.targets import TargetContext
from shipper_targets.docker import kind
from shipper_targets.docker.adapter import DockerTarget
from tests.rig.api import Rig

MINE = f"dt{os.getpid()}"
_COUNT = itertools.count(1)
DOCKERFILE = "FROM {base}\nCOPY obedient.py /\nUSER 1000\nCMD python -u /obedient.py\n"


class Keys:
    """The secrets of a run, given as they are."""

    def __init__(self, values: Mapping[str, bytes]) -> None:
        self._values = dict(values)

    def run(self) -> tuple[Secret, ...]:
        return tuple(Secret(name, value) for name, value in self._values.items())

    def build(self) -> tuple[Secret, ...]:
        return ()

    def versions(self) -> dict[str, str]:
        return {name: f"version-of-{len(value)}-{value[:1].hex()}" for name, value in self._values.items()}


class Host:
    """One namespace on the engine: a Docker host of its own, as far as shipper can tell."""

    def __init__(self, engine: DockerClient, image: str, proxy_image: str, docker_host: str | None) -> None:
        self.engine = engine
        self.image = image
        self.proxy_image = proxy_image
        self.docker_host = docker_host
        self.namespace = f"{MINE}-{next(_COUNT)}"
        self.port = free_port()
        self.proxy = f"{self.namespace}-proxy"

    def service(self, name: str = "", *, own: Mapping[str, Any] | None = None, **settings: Any) -> Service:
        return Service(self, name or f"web{next(_COUNT)}", own or {}, settings)

    def left(self) -> list[str]:
        """Everything on the engine whose name begins with the namespace."""
        api = self.engine.api
        named = {"name": self.namespace}
        found = [record["Names"][0].lstrip("/") for record in api.containers(all=True, filters=named)]
        found += [record["Name"] for record in api.networks(filters=named)]
        return found + [record["Name"] for record in api.volumes(filters=named).get("Volumes") or []]

    def clear(self) -> None:
        api = self.engine.api
        named = {"name": self.namespace}
        for record in api.containers(all=True, filters=named):
            with contextlib.suppress(docker.errors.APIError):
                api.remove_container(record["Id"], force=True, v=True)
        for record in api.networks(filters=named):
            with contextlib.suppress(docker.errors.APIError):
                api.remove_network(record["Id"])
        for record in api.volumes(filters=named).get("Volumes") or []:
            with contextlib.suppress(docker.errors.APIError):
                api.remove_volume(record["Name"], force=True)


class Service:
    """One service on a host, released step by step as the rollout would."""

    def __init__(self, host: Host, name: str, own: Mapping[str, Any], settings: Mapping[str, Any]) -> None:
        self.host = host
        self.name = name
        self.own = {
            "namespace": host.namespace,
            "port": host.port,
            "proxy_image": host.proxy_image,
            **({"host": host.docker_host} if host.docker_host else {}),
            **own,
        }
        self.base = dict(settings)
        self.environment = self.base.pop("environment", "dev")
        self.keys = Keys(self.base.pop("secrets", {}))
        self.target = self.connected()
        self._numbers = itertools.count(1)

    @property
    def route(self) -> str:
        return self.target._route

    def settings(self, **more: Any) -> Settings:
        run = {"stop_grace": 1, **self.base.get("run", {}), **more.pop("run", {})}
        return Settings.model_validate(
            {
                "health": {"timeout": 2, "startup": 10},
                "rollout": {"drain": 5},
                **{name: value for name, value in self.base.items() if name != "run"},
                **more,
                "run": run,
                "service": {"service": self.name, "environment": self.environment, "root": "/"},
            }
        )

    def connected(self, **more: Any) -> DockerTarget:
        """As another process of shipper would have it."""
        target = kind.connect(TargetContext("local", self.settings(**more), self.own, self.keys))
        assert isinstance(target, DockerTarget)
        return target

    def release(self, name: str = "it", *, behave: str = "well", **run: Any) -> Release:
        env = {"NAME": name, "BEHAVE": behave, **run.pop("env", {})}
        settings = self.settings(run={"env": env, **run})
        images = {"main": ImageRef(config_digest=self.host.image, reference=self.host.image, platform="linux/amd64")}
        number = next(self._numbers)
        return Release(
            id=new_release_id(time.time() + number / 1000),
            number=number,
            fingerprint=fingerprint_of(images, settings, self.keys.versions()),
            images=images,
            settings=settings,
            target="local",
            secret_versions=self.keys.versions(),
            created=time.time(),
        )

    @property
    def seen(self) -> str:
        return self.target.observe().seen

    def create(self, release: Release) -> Revision:
        return self.target.create(release, Stamp(), self.seen)

    def shift(self, *revisions: Revision) -> None:
        share = 100 // len(revisions) if revisions else 0
        self.target.shift({revision.name: share for revision in revisions}, Stamp(), self.seen)

    def retire(self, *revisions: Revision, to: Any = "stopped") -> None:
        self.target.retire(revisions, to, self.seen)

    def wait(self, revision: Revision, seconds: float = 15.0) -> Progress:
        """The first step that is not `waiting`; the last one after `seconds`."""
        deadline = time.monotonic() + seconds
        for step in self.target.progress(revision):
            if step.state != "waiting" or time.monotonic() > deadline:
                return step
        raise AssertionError("progress ended without a word")

    def serve(self, name: str = "it", **run: Any) -> Revision:
        """A release that serves."""
        revision = self.create(self.release(name, **run))
        step = self.wait(revision)
        assert step.state == "ready", step
        self.shift(revision)
        return revision

    def weights(self) -> dict[str, int]:
        return {revision.name: revision.weight for revision in self.target.observe().serving}

    def ask(self, path: str = "/", *, method: str = "GET", host: str | None = None, **headers: str) -> httpx.Response:
        return httpx.request(
            method,
            f"http://127.0.0.1:{self.host.port}{path}",
            headers={"Host": host or self.route, **{name.replace("_", "-"): value for name, value in headers.items()}},
            timeout=10,
            trust_env=False,
        )

    def container(self, revision: Revision) -> Any:
        return self.host.engine.containers.get(f"{self.host.namespace}-{revision.name}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def eventually(holds: Any, seconds: float = 10.0) -> bool:
    """Whether it becomes true in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(httpx.HTTPError):
            if holds():
                return True
        time.sleep(0.05)
    return False


@pytest.fixture(scope="session")
def engine(rig: Rig) -> Iterator[DockerClient]:
    client = docker.DockerClient(base_url=rig.docker_host) if rig.docker_host else docker.from_env()
    with contextlib.closing(client):
        yield client


@pytest.fixture(scope="session")
def service_image(rig: Rig, engine: DockerClient) -> Iterator[str]:
    """The config digest of a small image whose behaviour comes from BEHAVE."""
    files = {
        "Dockerfile": DOCKERFILE.format(base=rig.base_image).encode(),
        "obedient.py": Path(__file__).with_name("obedient.py").read_bytes(),
    }
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), 0o644
            archive.addfile(entry, io.BytesIO(data))
    subprocess.run(
        ["docker", "build", "--quiet", "--provenance=false", "--tag", MINE, "-"],
        input=content.getvalue(),
        env={**os.environ, **rig.env()},
        stdout=subprocess.DEVNULL,
        check=True,
    )
    yield str(engine.images.get(MINE).id)
    with contextlib.suppress(docker.errors.APIError):
        engine.images.remove(MINE)


@pytest.fixture(scope="session")
def shared_host(rig: Rig, engine: DockerClient, service_image: str) -> Iterator[Host]:
    """One host for every test that minds only its own service."""
    host = Host(engine, service_image, rig.proxy_image, rig.docker_host)
    yield host
    host.clear()


@pytest.fixture
def host(rig: Rig, engine: DockerClient, service_image: str) -> Iterator[Host]:
    """A host of the test's own."""
    made = Host(engine, service_image, rig.proxy_image, rig.docker_host)
    yield made
    made.clear()


@pytest.fixture
def service(shared_host: Host) -> Service:
    """A service of the test's own on the shared host, which is cleared at the end."""
    return shared_host.service()
