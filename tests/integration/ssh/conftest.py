"""A second engine at the other end of ssh, and this process as a user who can reach it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from shipper.images.engine import DockerEngine, connect
from shipper.model.context import VersionsOf
from shipper.processes.ssh import line_to
from shipper.processes.ssh_host import ssh_host
from tests.conftest import needed_or_skipped
from tests.integration.images.conftest import Switch as Thrown
from tests.rig.api import Rig, RigError
from tests.rig.ssh_engine import SshEngine

SERVICE = f"ssh-test-{os.getpid()}"


class NoSecrets:
    """A run that has none."""

    def run(self) -> tuple[()]:
        return ()

    def build(self) -> tuple[()]:
        return ()

    def trial(self) -> tuple[()]:
        return ()

    def trial_versions(self) -> dict[str, str]:
        return {}

    def pinned(self, references: Mapping[str, str], versions_of: VersionsOf) -> dict[str, str]:
        return dict(versions_of(references))

    def versions(self, key: bytes | None = None) -> dict[str, str]:
        return {}


class Switch(Thrown):
    """A cancellation that a test throws by hand; nobody waits with a SIGKILL."""

    remaining: float | None = None


@pytest.fixture(scope="session")
def other_machine(rig: Rig) -> Iterator[SshEngine]:
    """The engine, with the classic image store."""
    made = SshEngine()
    try:
        made.start()
    except RigError as error:
        made.stop()
        needed_or_skipped(f"a second engine cannot be had here: {error}")
    yield made
    made.stop()


@pytest.fixture
def far(other_machine: SshEngine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[SshEngine]:
    """The same; its user's keys and configuration are ours for this test, and nothing is connected yet."""
    for name, value in {**other_machine.env(), "XDG_CACHE_HOME": str(tmp_path / "cache")}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    yield other_machine
    line_to(ssh_host(other_machine.url)).close()


@pytest.fixture(scope="session")
def here(rig: Rig) -> Iterator[DockerEngine]:
    """The rig's engine, without the images of these tests afterwards."""
    with connect(rig.docker_host) as connected:
        yield connected
        connected.prune(SERVICE, keep=0)
