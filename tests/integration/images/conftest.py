"""A real engine, small projects, a reporter that remembers, and a cancellation thrown by hand."""

from __future__ import annotations

import contextlib
import itertools
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from shipper.errors import Interrupted
from shipper.images.context import describe
from shipper.images.engine import DockerEngine, connect
from shipper.images.protocol import BuildRequest
from shipper.model import Image, ImageSettings, ServiceSettings
from shipper.model.secret import Secret
from tests.rig.api import Rig

SERVICE = f"images-test-{os.getpid()}"


class Told:
    """A reporter that remembers what it was told; `when` runs at every step."""

    def __init__(self) -> None:
        self.steps: list[str] = []
        self.lines: list[str] = []
        self.remarks: list[str] = []
        self.when: Callable[[str], None] = lambda _: None

    def progress(self, text: str, done: float | None = None, total: float | None = None, unit: str = "") -> None:
        self.steps.append(text)
        self.when(text)

    def log(self, line: str, stream: str = "stdout") -> None:
        self.lines.append(line)
        self.when(line)

    def remark(self, text: str) -> None:
        self.remarks.append(text)

    def evidence(self, evidence: object) -> None:
        raise AssertionError("images give no evidence")

    def emit(self, event: object) -> None:
        raise AssertionError("images emit no other events")


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
        for callback in self._callbacks:
            callback()

    def check(self) -> None:
        if self.cancelled:
            raise Interrupted("stopped by the test")

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


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def switch() -> Switch:
    return Switch()


@pytest.fixture(scope="session")
def engine(rig: Rig) -> Iterator[DockerEngine]:
    """The rig's engine, without the images of these tests afterwards."""
    with connect(rig.docker_host) as connected:
        yield connected
        connected.prune(SERVICE, keep=0)


class Project:
    """A folder with a service, that can be described and built."""

    def __init__(self, root: Path, engine: DockerEngine) -> None:
        self.root = root
        self.service = ServiceSettings(service=SERVICE, root=str(root))
        self._engine = engine

    def write(self, files: Mapping[str, str]) -> Project:
        for name, content in files.items():
            (self.root / name).parent.mkdir(parents=True, exist_ok=True)
            (self.root / name).write_text(content)
        return self

    def request(self, secrets: tuple[Secret, ...] = (), **image: Any) -> BuildRequest:
        settings = ImageSettings(**image)
        source = describe(self.service, settings)
        return BuildRequest(self.service, settings, source, self._engine.platform(), secrets)

    def build(self, told: Told | None = None, secrets: tuple[Secret, ...] = (), **image: Any) -> Image:
        return self._engine.build(self.request(secrets, **image), told or Told(), Switch())


@pytest.fixture
def project(tmp_path: Path, engine: DockerEngine) -> Callable[[Mapping[str, str]], Project]:
    """A fresh folder with these files; `{base}` in them is the base image."""
    numbers = itertools.count()

    def write(files: Mapping[str, str]) -> Project:
        return Project(tmp_path / f"project-{next(numbers)}", engine).write(files)

    return write
