"""The engine and projects of the images tests, and registries of every temper."""

from __future__ import annotations

import base64
import contextlib
import json
import shutil
import socket
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import IN_CI
from tests.integration.images.conftest import engine, project, switch, told
from tests.integration.registries.cloud import cloud
from tests.rig.api import Rig

__all__ = ["closed_registry", "cloud", "engine", "project", "repository", "switch", "told"]

HTPASSWD = "ann:$2b$05$abcdefghijklmnopqrstuuHNbAKRhpaujgo33bRWs.NLUTJO3lOy2\n"
"""The password is "correct horse"."""


@pytest.fixture
def repository(rig: Rig) -> str:
    """A repository of the rig's registry that no other test uses."""
    return f"{rig.registry}/images-test/{uuid.uuid4().hex[:12]}"


@pytest.fixture
def closed_registry(tmp_path: Path) -> Iterator[str]:
    """A registry on a free port that lets nobody in but ann."""
    if shutil.which("docker-registry") is None:
        if IN_CI:
            pytest.fail("docker-registry is missing")
        pytest.skip("docker-registry is not installed")
    (tmp_path / "htpasswd").write_text(HTPASSWD)
    address = f"127.0.0.1:{free_port()}"
    settings = {
        "version": "0.1",
        "storage": {"filesystem": {"rootdirectory": str(tmp_path / "data")}},
        "auth": {"htpasswd": {"realm": "test", "path": str(tmp_path / "htpasswd")}},
        "http": {"addr": address},
    }
    (tmp_path / "registry.json").write_text(json.dumps(settings))
    command = ["docker-registry", "serve", str(tmp_path / "registry.json")]
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until(lambda: listens(address))
        yield address
    finally:
        child.kill()
        child.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listens(address: str) -> bool:
    host, _, port = address.partition(":")
    with contextlib.suppress(OSError), socket.create_connection((host, int(port)), timeout=1):
        return True
    return False


def until(holds: Callable[[], bool], patience: float = 20) -> None:
    """Poll until it holds."""
    end = time.monotonic() + patience
    while not holds():
        assert time.monotonic() < end, "it did not come up"
        threading.Event().wait(0.02)


@pytest.fixture
def logged_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """As after `docker login` of ann at a registry, with this password."""

    def login(registry: str, password: str) -> None:
        auth = base64.b64encode(f"ann:{password}".encode()).decode()
        (tmp_path / "docker").mkdir(exist_ok=True)
        (tmp_path / "docker" / "config.json").write_text(json.dumps({"auths": {registry: {"auth": auth}}}))
        monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))

    return login
