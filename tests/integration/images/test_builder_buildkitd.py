"""Builds by a buildkitd of its own, built by Go in five minutes: in `make sweep` only."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from shipper.errors import CredentialsError
from shipper.images.builder_ready import look_at_builder
from shipper.images.engine import DockerEngine
from shipper.model import ImageSettings
from shipper.model.secret import Secret
from tests.conftest import needed
from tests.integration.images.conftest import Project, Switch, Told
from tests.rig.api import Rig
from tests.rig.buildkitd.build import VERSION
from tests.rig.buildkitd.front import NAME, Certificates, certificates
from tests.rig.buildkitd.server import BuildKit

pytestmark = [pytest.mark.integration, pytest.mark.sweep, pytest.mark.timeout(1800)]

MakeProject = Callable[[Mapping[str, str]], Project]


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return certificates(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def buildkit(rig: Rig, keys: Certificates) -> Iterator[BuildKit]:
    """A fresh one, without any cache."""
    server = BuildKit(keys)
    needed(server.__enter__)  # type: ignore[arg-type]
    yield server
    server.stop()


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def settings(buildkit: BuildKit, keys: Certificates, **more: Any) -> dict[str, Any]:
    cert, key = keys.client
    tls = {"ca": str(keys.ca), "cert": str(cert), "key": str(key), "server_name": NAME}
    return {"builder": "remote", "remote": {"address": buildkit.address, **tls}, **more}


def unique() -> dict[str, str]:
    run = f"RUN --mount=type=secret,id=TOKEN wc -c < /run/secrets/TOKEN; echo {uuid.uuid4().hex} > /built\n"
    return {"Dockerfile": f"FROM python:3.11-slim\n{run}USER 1000\n"}


TOKEN = (Secret("TOKEN", b"twelve bytes"),)


def test_the_image_is_built_there_and_comes_here_as_the_same_bytes(
    project: MakeProject, engine: DockerEngine, buildkit: BuildKit, keys: Certificates, told: Told
) -> None:
    image = project(unique()).build(told, secrets=TOKEN, **settings(buildkit, keys))

    assert engine.has(image)
    assert engine.archive(image, told, Switch()).exists()
    assert "12" in told.lines


def test_another_builder_with_an_empty_cache_takes_it_from_the_registry(
    project: MakeProject, rig: Rig, buildkit: BuildKit, keys: Certificates, told: Told
) -> None:
    hello = project(unique())
    cache = f"{rig.registry}/cache/{uuid.uuid4().hex[:12]}"
    first = hello.build(told, secrets=TOKEN, **settings(buildkit, keys, cache=cache))

    with BuildKit(keys) as another:
        again = hello.build(told, secrets=TOKEN, **settings(another, keys, cache=cache))

    assert (first.cached, again.cached, told.remarks) == (False, True, [])
    assert again.config_digest == first.config_digest


def test_the_engine_at_hand_reads_the_cache_that_a_builder_wrote(
    project: MakeProject, rig: Rig, buildkit: BuildKit, keys: Certificates, told: Told
) -> None:
    """Of steps without a secret: one with it has another key in the engine's BuildKit (Docker 26.1) than in 0.22."""
    hello = project({"Dockerfile": f"FROM python:3.11-slim\nRUN echo {uuid.uuid4().hex} > /built\nUSER 1000\n"})
    cache = f"{rig.registry}/cache/{uuid.uuid4().hex[:12]}"
    first = hello.build(told, **settings(buildkit, keys, cache=cache))

    again = hello.build(told, cache=cache)

    assert again.cached
    assert again.diff_ids == first.diff_ids


def test_who_has_no_certificate_is_not_let_in(project: MakeProject, buildkit: BuildKit, keys: Certificates) -> None:
    remote = {"address": buildkit.address, "ca": str(keys.ca), "server_name": NAME}

    with pytest.raises(CredentialsError, match="does not accept our certificate"):
        project(unique()).build(secrets=TOKEN, builder="remote", remote=remote)


def test_doctor_says_what_it_is(buildkit: BuildKit, keys: Certificates) -> None:
    image = ImageSettings.model_validate(settings(buildkit, keys))

    assert f"running, BuildKit v{VERSION}" in look_at_builder(image, Path("/"), "linux/amd64")
