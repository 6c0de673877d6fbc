"""A real engine, one small image that misbehaves on demand, and a way to try it in one line."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import tarfile
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import docker
import pytest
from docker import DockerClient

from shipper.errors import Interrupted
from shipper.model import (
    GoldenRequest,
    HealthSettings,
    Image,
    RunSettings,
    ServiceSettings,
    Smoke,
    SmokeSettings,
)
from shipper.model.context import VersionsOf
from shipper.model.secret import Secret
from shipper.smoke.candidates import DockerCandidates
from tests.rig.api import Rig

NAME = f"smoke-test-{os.getpid()}"
DOCKERFILE = """\
FROM {base}
COPY misbehaving.py foreign /app/
RUN chmod +x /app/foreign
WORKDIR /app
USER 1000
CMD ["python", "-u", "misbehaving.py"]
"""
_ARM64, _AMD64 = 183, 62  # e_machine of the ELF header


class Told:
    """A reporter that remembers what it was told; `when` runs at every step."""

    def __init__(self) -> None:
        self.steps: list[str] = []
        self.remarks: list[str] = []
        self.when: Callable[[str], None] = lambda _: None

    def progress(self, text: str, done: float | None = None, total: float | None = None, unit: str = "") -> None:
        self.steps.append(text)
        self.when(text)

    def log(self, line: str, stream: str = "stdout") -> None:
        raise AssertionError("a trial shows the candidate's output in its evidence")

    def remark(self, text: str) -> None:
        self.remarks.append(text)

    def evidence(self, evidence: object) -> None:
        raise AssertionError("the stage reports the evidence")

    def emit(self, event: object) -> None:
        raise AssertionError("a trial emits no other events")


class Switch:
    """A cancellation that a test throws by hand."""

    remaining: float | None = None

    def __init__(self) -> None:
        self._thrown = threading.Event()
        self._callbacks: list[Callable[[], None]] = []

    @property
    def cancelled(self) -> bool:
        return self._thrown.is_set()

    def throw(self) -> None:
        self._thrown.set()
        for callback in list(self._callbacks):
            callback()

    def check(self) -> None:
        if self.cancelled:
            raise Interrupted("interrupted")

    def wait(self, seconds: float) -> bool:
        return self._thrown.wait(seconds)

    @contextlib.contextmanager
    def on_cancel(self, callback: Callable[[], None]) -> Iterator[None]:
        self._callbacks.append(callback)
        if self.cancelled:
            callback()
        try:
            yield
        finally:
            self._callbacks.remove(callback)


class Keys:
    """Secrets that a test gives."""

    def __init__(self, values: Mapping[str, bytes]) -> None:
        self._values = values

    def run(self) -> tuple[Secret, ...]:
        return tuple(Secret(name, value) for name, value in self._values.items())

    def build(self) -> tuple[Secret, ...]:
        return ()

    def trial(self) -> tuple[Secret, ...]:
        return self.run()

    def trial_versions(self) -> dict[str, str]:
        return {}

    def pinned(self, references: Mapping[str, str], versions_of: VersionsOf) -> dict[str, str]:
        return dict(versions_of(references))

    def versions(self, key: bytes | None = None) -> dict[str, str]:
        return {}


class Bench:
    """Where one test tries its candidate."""

    def __init__(self, client: DockerClient, image: Image, folder: Path) -> None:
        self.client = client
        self.image = image
        self.folder = folder
        self.told = Told()
        self.switch = Switch()
        self.candidates = DockerCandidates(client, folder / "logs")

    def try_out(
        self,
        behave: str = "well",
        *requests: GoldenRequest,
        health: Mapping[str, Any] | None = None,
        image: Image | None = None,
        secrets: Mapping[str, bytes] | None = None,
        gpus_left: int | None = None,
        **run: Any,
    ) -> Smoke:
        """The evidence about a candidate that behaves so."""
        return self.candidates.try_out(
            image or self.image,
            ServiceSettings(service="smoke-test", root=str(self.folder)),
            RunSettings.model_validate({"env": {"BEHAVE": behave}, "stop_grace": 5, **run}),
            HealthSettings.model_validate({"startup": 20, **(health or {})}),
            SmokeSettings(requests=requests, gpu=gpus_left),
            Keys(secrets or {}),
            self.told,
            self.switch,
        )

    def left_behind(self) -> list[str]:
        """Containers and volumes of this process's trials that are still there."""
        mine = f"@{_owner_tail()}"
        containers = self.client.api.containers(all=True, filters={"label": "shipper.smoke"})
        volumes = self.client.api.volumes(filters={"label": "shipper.smoke"}).get("Volumes") or []
        return [str(found) for found in [*containers, *volumes] if found["Labels"]["shipper.smoke"].endswith(mine)]


def _owner_tail() -> str:
    from shipper.smoke.owner import OWNER_LABEL, owner_labels

    return owner_labels(0, 0)[OWNER_LABEL].rpartition("@")[2]


@pytest.fixture(scope="session")
def engine(rig: Rig) -> Iterator[DockerClient]:
    """The rig's engine."""
    client = docker.DockerClient(base_url=rig.docker_host) if rig.docker_host else docker.from_env()
    with contextlib.closing(client):
        yield client


@pytest.fixture(scope="session")
def misbehaving(rig: Rig, engine: DockerClient) -> Iterator[Image]:
    """An image that misbehaves as BEHAVE says, and whose /app/foreign is for another processor."""
    architecture = engine.version()["Arch"]
    files = {
        "Dockerfile": DOCKERFILE.format(base=rig.base_image).encode(),
        "misbehaving.py": Path(__file__).with_name("misbehaving.py").read_bytes(),
        "foreign": _program(_AMD64 if architecture == "arm64" else _ARM64),
    }
    subprocess.run(
        ["docker", "build", "--quiet", "--provenance=false", "--tag", NAME, "-"],
        input=_tar(files),
        env={**os.environ, **rig.env()},
        stdout=subprocess.DEVNULL,
        check=True,
    )
    digest = str(engine.images.get(NAME).id)
    yield Image(
        config_digest=digest,
        source_digest=digest,
        platform=f"linux/{architecture}",
        engine_id=digest,
        reference=NAME,
        diff_ids=(),
        size=1,
        user="1000",
    )
    engine.images.remove(NAME, force=True)


@pytest.fixture
def bench(engine: DockerClient, misbehaving: Image, tmp_path: Path) -> Iterator[Bench]:
    """A place to try candidates; fails the test that leaves something behind."""
    bench = Bench(engine, misbehaving, tmp_path)
    yield bench
    assert bench.left_behind() == []


def _tar(files: Mapping[str, bytes]) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return made.getvalue()


def _program(machine: int) -> bytes:
    head = b"\x7fELF\x02\x01\x01" + bytes(9) + (2).to_bytes(2, "little") + machine.to_bytes(2, "little")
    return head + (1).to_bytes(4, "little") + bytes(200)
