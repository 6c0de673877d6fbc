"""A real engine, one small service that does what its environment says, and a Docker host of each test's own."""

from __future__ import annotations

import contextlib
import http.client
import io
import itertools
import os
import socket
import tarfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker
import pytest
from docker import DockerClient
from docker.errors import NotFound

from shipper.model import (
    HealthSettings,
    ImageRef,
    Progress,
    Release,
    Revision,
    RunSettings,
    ServiceSettings,
    Settings,
    Stamp,
    fingerprint_of,
    new_release_id,
)
from shipper.model.secret import Secret
from shipper.targets import TargetContext
from shipper_targets.docker.adapter import DockerTarget
from shipper_targets.docker.settings import DockerSettings
from tests.rig.api import Rig

_COUNT = itertools.count(1)
DOCKERFILE = 'FROM {base}\nCOPY docker_host_app.py /app.py\nUSER 1234:1234\nCMD ["python", "-u", "/app.py"]\n'


@dataclass(frozen=True)
class Answer:
    """An HTTP answer."""

    status: int
    text: str
    revision: str | None


@dataclass
class Values:
    """The secrets of a run."""

    values: dict[str, str] = field(default_factory=dict)

    def run(self) -> tuple[Secret, ...]:
        return tuple(Secret(name, value.encode()) for name, value in self.values.items())

    def build(self) -> tuple[Secret, ...]:
        return ()

    def versions(self) -> dict[str, str]:
        return {name: f"keyed-hash-{sum(value.encode())}" for name, value in self.values.items()}


@dataclass
class Service:
    """One service on the host: the target, and how a person would use it."""

    target: DockerTarget
    settings: Settings
    image: str
    secrets: Values
    port: int

    def next(self, **env: str) -> Release:
        """The next release, with this environment."""
        number = self.target.observe().highest + 1
        run = self.settings.run.model_copy(update={"env": {"VERSION": f"v{number}", **env}})
        settings = self.settings.model_copy(update={"run": run})
        images = {"main": ImageRef(config_digest=self.image, reference=self.image, platform="linux/amd64")}
        versions = self.secrets.versions()
        return Release(
            id=new_release_id(),
            number=number,
            fingerprint=fingerprint_of(images, settings, versions),
            images=images,
            settings=settings,
            target="docker",
            secret_versions=versions,
            created=time.time(),
        )

    def create(self, release: Release | None = None, **env: str) -> Revision:
        """A revision that is not ready yet."""
        return self.target.create(release or self.next(**env), Stamp(), self.target.observe().seen)

    def ready(self, release: Release | None = None, **env: str) -> Revision:
        """A revision that is ready and has no traffic."""
        revision = self.create(release, **env)
        last = self.follow(revision)
        assert last.state == "ready", last
        return revision

    def follow(self, revision: Revision, *, seconds: float = 20.0) -> Progress:
        """Its progress to the end, or to the caller's deadline."""
        deadline = time.monotonic() + seconds
        for step in self.target.progress(revision):
            if step.state != "waiting" or time.monotonic() > deadline:
                return step
        raise AssertionError("progress ended without saying how")

    def serve(self, release: Release | None = None, **env: str) -> Revision:
        """A revision that is ready and has all traffic."""
        revision = self.ready(release, **env)
        self.shift({revision.name: 100})
        return revision

    def shift(self, weights: dict[str, int]) -> None:
        self.target.shift(weights, Stamp(), self.target.observe().seen)

    def retire(self, *revisions: Revision, to: Any = "stopped") -> None:
        self.target.retire(revisions, to, self.target.observe().seen)

    def weights(self) -> dict[str, int]:
        return {revision.name: revision.weight for revision in self.target.observe().serving}

    def ask(self, path: str = "/", *, method: str = "GET", host: str | None = None, **headers: str) -> Answer:
        """Ask the address, as anybody would."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=15)
        try:
            names = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, headers={"Host": host or self.route, **names})
            answer = connection.getresponse()
            return Answer(answer.status, answer.read().decode(), answer.getheader("X-Shipper-Revision"))
        finally:
            connection.close()

    @property
    def route(self) -> str:
        """The host name that routes here now."""
        address = self.target.observe().address
        assert address is not None
        return str(address.host)


@dataclass
class Place:
    """A namespace on the engine: a proxy, a port and a network of the test's own."""

    client: DockerClient
    namespace: str
    port: int
    image: str
    shared: bool = False

    def service(self, name: str = "", *, secrets: dict[str, str] | None = None, **more: Any) -> Service:
        """A service here; `more` are [health], [run], the environment, and the target's own settings."""
        name = name or (f"shop{next(_COUNT)}" if self.shared else "shop")
        values = Values(secrets or {})
        settings = Settings(
            service=ServiceSettings(service=name, environment=more.pop("environment", "dev"), root="/"),
            health=more.pop("health", HealthSettings()),
            run=RunSettings.model_validate({"stop_grace": 1.0, **more.pop("run", {})}),
        )
        own = DockerSettings.model_validate({"namespace": self.namespace, "port": self.port, **more})
        target = DockerTarget(TargetContext("docker", settings, own.model_dump(), values), own)
        return Service(target, settings, self.image, values, self.port)

    @property
    def proxy(self) -> Any:
        return self.client.containers.get(f"{self.namespace}-proxy")

    def container(self, revision: Revision) -> Any:
        return self.client.containers.get(f"{self.namespace}-{revision.name}")

    def by_hand(self, command: str) -> str:
        """Somebody else at the proxy's admin socket."""
        script = 'exec 3<>/dev/tcp/127.0.0.1/9999; printf "%s\\n" "$1" >&3; cat <&3'
        return str(self.proxy.exec_run(["bash", "-c", script, "_", command]).output.decode())

    def leftovers(self) -> list[str]:
        """Everything of this namespace that is on the engine."""
        api = self.client.api
        names = [name.lstrip("/") for record in api.containers(all=True) for name in record["Names"] or []]
        names += [volume["Name"] for volume in api.volumes()["Volumes"] or []]
        names += [network["Name"] for network in api.networks()]
        return sorted(name for name in names if name == self.namespace or name.startswith(self.namespace + "-"))

    def clean_up(self) -> None:
        """Remove what this test made, and nothing else."""
        for container in self.client.containers.list(all=True, filters={"name": f"^{self.namespace}-"}):
            with contextlib.suppress(NotFound):
                container.remove(force=True)
        for network in self.client.networks.list(names=[f"^{self.namespace}$"]):
            with contextlib.suppress(NotFound):
                network.remove()
        for volume in self.client.volumes.list(filters={"name": f"{self.namespace}-"}):
            with contextlib.suppress(NotFound):
                volume.remove(force=True)


@pytest.fixture(scope="session")
def client(rig: Rig) -> Iterator[DockerClient]:
    with contextlib.closing(docker.from_env()) as found:
        yield found


@pytest.fixture(scope="session")
def app_image(client: DockerClient, rig: Rig) -> Iterator[str]:
    """The config digest of the one small image that every test runs."""
    tag = f"shipper.local/docker-host-test:{os.getpid()}"
    built, _ = client.images.build(fileobj=_context(rig.base_image), custom_context=True, tag=tag, rm=True)
    yield str(built.id)
    client.images.remove(tag, force=True)


@pytest.fixture(scope="session")
def shared(client: DockerClient, app_image: str) -> Iterator[Place]:
    """The host of all tests that mind only their own service: theirs have names of their own."""
    port = _free_port()
    yield from _place(Place(client, f"dhost-{os.getpid()}-{port}", port, app_image, shared=True))


@pytest.fixture
def own_place(client: DockerClient, app_image: str, private_cache: None) -> Iterator[Place]:
    """A host of the test's own."""
    port = _free_port()
    yield from _place(Place(client, f"dhost-{os.getpid()}-{port}", port, app_image))


@pytest.fixture
def place(shared: Place, private_cache: None) -> Place:
    return shared


@pytest.fixture
def private_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


@pytest.fixture
def shop(place: Place) -> Service:
    return place.service()


def _place(here: Place) -> Iterator[Place]:
    try:
        yield here
    finally:
        here.clean_up()


def until(true: Callable[[], bool], *, seconds: float = 15.0) -> bool:
    """Whether it became true in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError, http.client.HTTPException):
            if true():
                return True
        time.sleep(0.05)
    return False


def _context(base: str) -> io.BytesIO:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        app = Path(__file__).with_name("docker_host_app.py").read_bytes()
        for name, content in (("Dockerfile", DOCKERFILE.format(base=base).encode()), ("docker_host_app.py", app)):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o644
            archive.addfile(entry, io.BytesIO(content))
    made.seek(0)
    return made


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
