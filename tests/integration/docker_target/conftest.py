"""A real engine, a namespace of this process's own, and a service on it in one line."""

from __future__ import annotations

import contextlib
import hashlib
import io
import itertools
import os
import socket
import subprocess
import tarfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import docker
import httpx
import pytest
from docker import DockerClient

from shipper.errors import ConfigError, PlatformError
from shipper.model import (
    Garbage,
    ImageRef,
    Progress,
    Release,
    Revision,
    Settings,
    Stamp,
    fingerprint_of,
    new_release_id,
)
from shipper.model.context import Cancellation, VersionsOf
from shipper.model.secret import Secret
from shipper.targets import TargetContext
from shipper_targets.docker import kind
from shipper_targets.docker.adapter import DockerTarget
from tests.rig.api import Rig

MINE = f"dt{os.getpid()}"
_COUNT = itertools.count(1)
DOCKERFILE = "FROM {base}\nCOPY obedient.py /\nUSER 1234:1234\nCMD python -u /obedient.py\n"


class Keys:
    """The secrets of a run. `values` None: this machine knows of them but cannot resolve them."""

    def __init__(self, values: Mapping[str, str] | None) -> None:
        self.values = values

    def run(self) -> tuple[Secret, ...]:
        if self.values is None:
            raise ConfigError("TOKEN: the variable is not set")
        return tuple(Secret(name, value.encode()) for name, value in self.values.items())

    def build(self) -> tuple[Secret, ...]:
        return ()

    def trial(self) -> tuple[Secret, ...]:
        return self.run()

    def trial_versions(self) -> dict[str, str]:
        return {}

    def pinned(self, references: Mapping[str, str], versions_of: VersionsOf) -> dict[str, str]:
        return dict(versions_of(references))

    def versions(self, key: bytes | None = None) -> dict[str, str]:
        return {secret.name: hashlib.sha256((key or b"mine") + secret.reveal()).hexdigest() for secret in self.run()}


class Told:
    """A reporter that keeps what it is told."""

    def __init__(self) -> None:
        self.remarks: list[str] = []
        self.steps: list[tuple[str, float | None, float | None]] = []

    def progress(self, text: str, done: float | None = None, total: float | None = None, unit: str = "") -> None:
        self.steps.append((text, done, total))

    def remark(self, text: str) -> None:
        self.remarks.append(text)

    def log(self, line: str, stream: str = "stdout") -> None:
        raise AssertionError(line)

    def evidence(self, evidence: object) -> None:
        raise AssertionError(evidence)

    def emit(self, event: object) -> None:
        raise AssertionError(event)


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
        self.more_images: list[str] = []

    def another_image(self, text: str) -> ImageRef:
        """The same service under another digest, named as the build names it."""
        made = self.engine.api.create_container(self.image)["Id"]
        try:
            labels = {"text": f"{text} {self.namespace}"}
            digest = str(self.engine.api.commit(made, conf={"Labels": labels})["Id"])
        finally:
            self.engine.api.remove_container(made)
        self.more_images.append(digest)
        self.engine.api.tag(digest, "shipper.local/shop", digest.removeprefix("sha256:")[:32])
        return ImageRef(config_digest=digest, reference=f"shipper.local/shop:{digest[7:39]}", platform="linux/amd64")

    def service(self, name: str = "", *, own: Mapping[str, Any] | None = None, **settings: Any) -> Service:
        return Service(self, name or f"web{next(_COUNT)}", own or {}, settings)

    def at_the_proxy(self, command: str) -> str:
        """Somebody else at the proxy's admin socket."""
        return self.in_the_proxy('exec 3<>/dev/tcp/127.0.0.1/9999; printf "%s\\n" "$1" >&3; cat <&3', command)

    def in_the_proxy(self, script: str, *words: str) -> str:
        proxy: Any = self.engine.containers.get(self.proxy)
        return str(proxy.exec_run(["bash", "-c", script, "_", *words], user="0").output.decode())

    def left(self) -> list[str]:
        """Everything on the engine whose name begins with the namespace."""
        api = self.engine.api
        named = {"name": self.namespace}
        found = [record["Names"][0].lstrip("/") for record in api.containers(all=True, filters=named)]
        found += [record["Name"] for record in api.networks(filters=named)]
        return found + [record["Name"] for record in api.volumes(filters=named).get("Volumes") or []]

    def secret_volumes(self) -> list[str]:
        return [name for name in self.left() if "-secrets-" in name]

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
        for digest in self.more_images:
            with contextlib.suppress(docker.errors.APIError):
                api.remove_image(digest, force=True)


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
        self.told = Told()
        self.target = self.connected()

    @property
    def route(self) -> str:
        """The host name that routes here now."""
        address = self.target.observe().address
        assert address is not None
        assert address.host is not None
        return address.host

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

    def connected(self, *, cancel: Cancellation | None = None, **more: Any) -> DockerTarget:
        """As another process of shipper would have it."""
        context = TargetContext("local", self.settings(**more), self.own, self.keys, self.told, cancel)
        target = kind.connect(context)
        assert isinstance(target, DockerTarget)
        return target

    def release(self, name: str = "it", **run: Any) -> Release:
        """The next one. Capital letters are the environment of the container, the rest is [run]."""
        env = {"NAME": name, **{key: run.pop(key) for key in list(run) if key.isupper()}}
        settings = self.settings(run={"env": env, **run})
        images = {"main": ImageRef(config_digest=self.host.image, reference=self.host.image, platform="linux/amd64")}
        versions = self.keys.versions(self.target.secret_key())
        return Release(
            id=new_release_id(),
            number=self.target.observe().highest + 1,
            fingerprint=fingerprint_of(images, settings, versions),
            images=images,
            settings=settings,
            target="local",
            secret_versions=versions,
            created=time.time(),
        )

    @property
    def seen(self) -> str:
        return self.target.observe().seen

    def stamp(self) -> Stamp:
        """The one that is there."""
        return self.target.observe().stamp

    def create(self, release: Release | None = None, **env: Any) -> Revision:
        """A revision that is not ready yet."""
        release = release or self.release(**env)
        now = self.target.observe()
        stamp = now.stamp.model_copy(update={"highest": max(now.stamp.highest, release.number)})
        return self.target.create(release, stamp, now.seen)

    def ready(self, release: Release | None = None, **env: Any) -> Revision:
        """A revision that is ready and has no traffic."""
        revision = self.create(release, **env)
        step = self.wait(revision)
        assert step.state == "ready", step
        return revision

    def shift(self, *revisions: Revision, weights: Mapping[str, int] | None = None) -> None:
        share = 100 // len(revisions) if revisions else 0
        wanted = weights or {revision.name: share for revision in revisions}
        now = self.target.observe()
        self.target.shift(wanted, now.stamp, now.seen)

    def retire(self, *revisions: Revision, to: Any = "warm") -> None:
        now = self.target.observe()
        self.target.retire(revisions, to, now.stamp, now.seen)

    def remove(self) -> None:
        now = self.target.observe()
        self.target.remove(now.stamp, now.seen)

    def collect(self, *keep: int) -> tuple[Garbage, ...]:
        garbage, now = self.garbage(*keep), self.target.observe()
        return self.target.collect(garbage, now.stamp, now.seen)

    def garbage(self, *keep: int) -> list[Garbage]:
        """What may go, when the ledger knows no more than the host."""
        return list(self.target.garbage(keep, ()))

    def wait(self, revision: Revision, seconds: float = 15.0) -> Progress:
        """The first step that is not `waiting`; the last one after `seconds`."""
        deadline = time.monotonic() + seconds
        for step in self.target.progress(revision):
            if step.state != "waiting" or time.monotonic() > deadline:
                return step
        raise AssertionError("progress ended without a word")

    def serve(self, name: str = "it", release: Release | None = None, **env: Any) -> Revision:
        """A release that serves."""
        revision = self.ready(release or self.release(name, **env))
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


def eventually(holds: Callable[[], bool], seconds: float = 15.0) -> bool:
    """Whether it becomes true in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(httpx.HTTPError, OSError, PlatformError):
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
    """The config digest of a small image that does what its environment says."""
    build_image({**os.environ, **rig.env()}, rig.base_image, MINE)
    yield str(engine.images.get(MINE).id)
    with contextlib.suppress(docker.errors.APIError):
        engine.images.remove(MINE)


def build_image(env: Mapping[str, str], base: str, tag: str) -> None:
    files = {
        "Dockerfile": DOCKERFILE.format(base=base).encode(),
        "obedient.py": Path(__file__).with_name("obedient.py").read_bytes(),
    }
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), 0o644
            archive.addfile(entry, io.BytesIO(data))
    subprocess.run(
        ["docker", "build", "--quiet", "--provenance=false", "--tag", tag, "-"],
        input=content.getvalue(),
        env=dict(env),
        stdout=subprocess.DEVNULL,
        check=True,
    )


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


@pytest.fixture(autouse=True)
def private_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was found out about images of other runs does not help here."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


@pytest.fixture
def service(shared_host: Host) -> Service:
    """A service of the test's own on the shared host, which is cleared at the end."""
    return shared_host.service()
