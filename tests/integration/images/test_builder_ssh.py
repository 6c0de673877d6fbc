"""Builds by a BuildKit at the other end of ssh: real ssh, a real BuildKit, and a stand-in for its `buildctl`."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from shipper.errors import CredentialsError, UnreachableError
from shipper.images.builder_ready import look_at_builder
from shipper.images.engine import DockerEngine
from shipper.model import ImageSettings
from tests.integration.images.conftest import Project, Switch, Told
from tests.rig.api import Rig
from tests.rig.buildkitd.front import stand_in_buildctl
from tests.rig.ssh_engine import SshEngine

pytestmark = pytest.mark.integration

MakeProject = Callable[[Mapping[str, str]], Project]
FILES = {"Dockerfile": "FROM python:3.11-slim\nRUN echo {unique} > /built\n"}


@pytest.fixture(scope="module")
def far(rig: Rig) -> Iterator[SshEngine]:
    """Another machine, whose engine's BuildKit builds."""
    with SshEngine("containerd") as far:
        yield far


@pytest.fixture
def remote(far: SshEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """`[image.remote]` for it, with buildctl on PATH there and its ssh here."""
    folder = far.folder / "programs"
    stand_in_buildctl(folder, far.engine.docker_host)
    far.serve(f'ForceCommand PATH={folder}:$PATH sh -c "$SSH_ORIGINAL_COMMAND"')
    for name, value in far.env().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return {"address": far.url, "start_timeout": 25.0}


def test_the_image_is_built_there_and_comes_here(
    project: MakeProject, engine: DockerEngine, far: SshEngine, remote: dict[str, object], told: Told
) -> None:
    ours = project({"Dockerfile": FILES["Dockerfile"].format(unique=uuid.uuid4().hex)})

    image = ours.build(told, builder="remote", remote=remote)

    assert engine.has(image)
    assert engine.archive(image, told, Switch()).exists()
    assert "/built" in far.docker("builder", "du", "--verbose")


def test_what_is_there_is_told(remote: dict[str, object], far: SshEngine) -> None:
    image = ImageSettings.model_validate({"builder": "remote", "remote": remote})

    assert look_at_builder(image, Path("/"), "linux/amd64").startswith(f"remote, {far.url}: running, BuildKit ")


def test_a_host_without_buildctl_is_named(project: MakeProject, far: SshEngine, remote: dict[str, object]) -> None:
    far.serve()

    with pytest.raises(UnreachableError, match="has no buildctl on PATH"):
        project(FILES).build(builder="remote", remote=remote)


def test_a_host_whose_buildkit_does_not_run_is_named(
    project: MakeProject, far: SshEngine, remote: dict[str, object]
) -> None:
    stand_in_buildctl(far.folder / "programs", "unix:///nowhere.sock")

    with pytest.raises(UnreachableError, match=r"reaches no BuildKit .*No such file"):
        project(FILES).build(builder="remote", remote=remote)


def test_a_host_that_does_not_let_us_in_is_named(
    project: MakeProject, far: SshEngine, remote: dict[str, object]
) -> None:
    far.serve("DenyUsers root")

    with pytest.raises(CredentialsError, match="does not let us in"):
        project(FILES).build(builder="remote", remote=remote)
