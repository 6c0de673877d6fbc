"""Builds by a BuildKit elsewhere: the BuildKit of a second engine, behind TLS, for the engine at hand."""

from __future__ import annotations

import json
import shutil
import socket
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from shipper.errors import ConfigError, CredentialsError, Interrupted, UnreachableError
from shipper.images.builder_home import builder_home
from shipper.images.engine import DockerEngine, connect
from shipper.model.secret import Secret
from tests.integration.images.conftest import SERVICE, Project, Switch, Told
from tests.rig.api import Rig
from tests.rig.buildkitd.front import NAME, BuildKitFront, Certificates, certificates
from tests.rig.isolated import IsolatedEngine

pytestmark = pytest.mark.integration

MakeProject = Callable[[Mapping[str, str]], Project]


@pytest.fixture(scope="module")
def elsewhere(rig: Rig) -> Iterator[IsolatedEngine]:
    """The engine whose BuildKit builds. Its registry is on its own network, at 127.0.0.1:5000."""
    with IsolatedEngine("containerd") as engine:
        yield engine


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return certificates(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def front(elsewhere: IsolatedEngine, keys: Certificates) -> Iterator[BuildKitFront]:
    with BuildKitFront(elsewhere.docker_host, keys) as front:
        yield front


@pytest.fixture
def remote(front: BuildKitFront, keys: Certificates) -> dict[str, str]:
    """`[image.remote]` for it."""
    cert, key = keys.client
    return {"address": front.address, "ca": str(keys.ca), "cert": str(cert), "key": str(key), "server_name": NAME}


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def unique(more: str = "") -> dict[str, str]:
    return {"Dockerfile": f"FROM python:3.11-slim\nRUN echo {uuid.uuid4().hex} > /built\n{more}", "a": "1"}


def test_the_image_is_built_there_and_comes_here_as_the_same_bytes(
    project: MakeProject, engine: DockerEngine, elsewhere: IsolatedEngine, remote: dict[str, str], told: Told
) -> None:
    hello = project(unique("COPY a /a\nUSER 1000\n"))

    image = hello.build(told, builder="remote", remote=remote)

    assert engine.has(image)
    assert image.user == "1000"
    archive = engine.archive(image, told, Switch())  # its config digest is computed from its bytes, and compared
    assert archive.exists()
    assert image.reference not in elsewhere.run(["docker", "images", "--format", "{{.Repository}}:{{.Tag}}"]).stdout
    again = hello.build(told, builder="remote", remote=remote)
    assert (again.config_digest, again.cached) == (image.config_digest, True)


def test_an_engine_with_the_other_image_store_gets_the_same_bytes(
    project: MakeProject, engine: DockerEngine, elsewhere: IsolatedEngine, remote: dict[str, str], told: Told
) -> None:
    request = project(unique()).request(builder="remote", remote=remote)
    here = engine.build(request, told, Switch())

    with connect(elsewhere.docker_host) as other:
        assert other.store == "containerd"
        there = other.build(request, told, Switch())

        assert (there.config_digest, there.diff_ids) == (here.config_digest, here.diff_ids)
        assert other.archive(there, told, Switch()).exists()


def test_a_build_secret_goes_there_and_into_no_layer(
    project: MakeProject, engine: DockerEngine, remote: dict[str, str], told: Told
) -> None:
    value = f"s3cr3t-{uuid.uuid4().hex}"
    files = unique("RUN --mount=type=secret,id=TOKEN wc -c < /run/secrets/TOKEN; cat /run/secrets/TOKEN\n")

    image = project(files).build(told, secrets=(Secret("TOKEN", value.encode()),), builder="remote", remote=remote)

    assert str(len(value)) in told.lines
    assert value not in "\n".join((*told.lines, *told.steps))
    assert value.encode() not in engine.archive(image, told, Switch()).read_bytes()


def test_what_was_built_before_comes_out_of_the_cache_in_the_registry(
    project: MakeProject, elsewhere: IsolatedEngine, remote: dict[str, str], told: Told
) -> None:
    cache = f"{elsewhere.registry}/cache/{uuid.uuid4().hex[:12]}"
    settings: dict[str, Any] = {"builder": "remote", "remote": remote, "cache": cache}
    hello = project(unique())
    first = hello.build(told, **settings)
    inspected = ["docker", "buildx", "imagetools", "inspect", "--raw", f"{cache}:{first.platform.replace('/', '-')}"]
    kept = json.loads(elsewhere.run(inspected).stdout)

    elsewhere.run(["docker", "builder", "prune", "--all", "--force"])
    again = hello.build(told, **settings)

    assert kept["mediaType"] == "application/vnd.oci.image.manifest.v1+json"
    assert (first.cached, again.cached, told.remarks) == (False, True, [])
    assert again.config_digest == first.config_digest


def test_a_cache_that_cannot_be_written_is_a_remark(project: MakeProject, remote: dict[str, str], told: Told) -> None:
    image = project(unique()).build(told, builder="remote", remote=remote, cache="127.0.0.1:9/team/cache")

    assert image.config_digest
    assert any("the build cache was not written" in remark and "refused" in remark for remark in told.remarks)


def test_the_builders_of_the_user_stay_as_they_are(
    project: MakeProject, remote: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = tmp_path / "their-buildx"
    monkeypatch.setenv("BUILDX_CONFIG", str(theirs))
    monkeypatch.setenv("BUILDX_BUILDER", "somebody-elses")

    project(unique()).build(builder="remote", remote=remote)

    ours = {"XDG_STATE_HOME": str(tmp_path / "state")}
    assert not theirs.exists()
    assert [path.name[:8] for path in (builder_home(ours) / "instances").iterdir()] == ["shipper-"]


def test_two_runs_at_once_make_the_same_builder(project: MakeProject, remote: dict[str, str]) -> None:
    hello = project(unique())
    digests: list[str] = []

    def build() -> None:
        digests.append(hello.build(builder="remote", remote=remote).config_digest)

    runs = [threading.Thread(target=build) for _ in range(2)]
    for run in runs:
        run.start()
    for run in runs:
        run.join(timeout=120)

    assert len(digests) == 2
    assert len(set(digests)) == 1


def test_who_has_no_certificate_is_not_let_in(project: MakeProject, remote: dict[str, str]) -> None:
    without = {name: value for name, value in remote.items() if name not in ("cert", "key")}

    with pytest.raises(CredentialsError, match="does not accept our certificate"):
        project(unique()).build(builder="remote", remote=without)


def test_a_certificate_of_another_authority_is_not_accepted(
    project: MakeProject, remote: dict[str, str], tmp_path: Path
) -> None:
    strange = certificates(tmp_path / "strange")

    with pytest.raises(CredentialsError, match="is not accepted"):
        project(unique()).build(builder="remote", remote={**remote, "ca": str(strange.ca)})
    pair = {"cert": str(strange.client[0]), "key": str(strange.client[1])}
    with pytest.raises(CredentialsError, match="does not accept our certificate"):
        project(unique()).build(builder="remote", remote={**remote, **pair})


def test_another_name_in_the_certificate_is_not_accepted(project: MakeProject, remote: dict[str, str]) -> None:
    with pytest.raises(CredentialsError, match=r"other\.test"):
        project(unique()).build(builder="remote", remote={**remote, "server_name": "other.test"})


def test_without_tls_where_tls_is_wanted(project: MakeProject, remote: dict[str, str]) -> None:
    with pytest.raises(UnreachableError, match="wants TLS"):
        project(unique()).build(builder="remote", remote={"address": remote["address"]})


def test_nobody_there_is_said_at_once_and_the_engine_at_hand_builds_nothing(
    project: MakeProject, engine: DockerEngine, told: Told
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        free = taken.getsockname()[1]

    with pytest.raises(UnreachableError, match="connection refused"):
        project(unique()).build(told, builder="remote", remote={"address": f"tcp://127.0.0.1:{free}"})

    assert told.lines == []
    listed = engine.client.api.images(name=f"shipper.local/{SERVICE}")
    assert not [tag for image in listed for tag in image["RepoTags"] or () if ":building-" in tag]


def test_who_never_answers_is_given_up_in_time(project: MakeProject) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        remote = {"address": f"tcp://127.0.0.1:{silent.getsockname()[1]}", "start_timeout": 0.5}

        with pytest.raises(UnreachableError, match="did not answer in time"):
            project(unique()).build(builder="remote", remote=remote)


def test_waiting_for_who_never_answers_can_be_cancelled(project: MakeProject, engine: DockerEngine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        remote = {"address": f"tcp://127.0.0.1:{silent.getsockname()[1]}", "start_timeout": 600.0}
        switch, told = Switch(), Told()
        told.when = lambda text: switch.throw() if "reaching the builder" in text else None

        with pytest.raises(Interrupted):
            engine.build(project(unique()).request(builder="remote", remote=remote), told, switch)


def test_a_builder_that_goes_away_in_the_middle_is_named(
    project: MakeProject, elsewhere: IsolatedEngine, told: Told
) -> None:
    front = BuildKitFront(elsewhere.docker_host)
    gone = threading.Event()

    def leave(text: str) -> None:
        if "sleeping" in text and not gone.is_set():
            gone.set()
            front.stop()

    told.when = leave
    with front:
        files = unique("RUN echo sleeping; sleep 60\n")
        with pytest.raises(UnreachableError) as failed:
            project(files).build(told, builder="remote", remote={"address": front.address})
    assert "went away in the middle" in failed.value.hint


def test_a_file_that_is_no_certificate_is_named(project: MakeProject, remote: dict[str, str], tmp_path: Path) -> None:
    odd = tmp_path / "odd.pem"
    odd.write_text("nothing")

    with pytest.raises(ConfigError, match=r"image\.remote\.ca: no certificate"):
        project(unique()).build(builder="remote", remote={**remote, "ca": str(odd)})
    with pytest.raises(ConfigError, match=r"image\.remote\.cert and key"):
        project(unique()).build(builder="remote", remote={**remote, "key": str(odd)})
    with pytest.raises(ConfigError, match=r"image\.remote\.ca: .*cannot be read"):
        project(unique()).build(builder="remote", remote={**remote, "ca": str(tmp_path / "none.pem")})


def test_a_project_names_its_files_relative_to_itself(project: MakeProject, remote: dict[str, str]) -> None:
    hello = project(unique())
    for name in ("ca", "cert", "key"):
        shutil.copy(remote[name], hello.root / f"{name}.pem")
    ours = {**remote, **{name: f"{name}.pem" for name in ("ca", "cert", "key")}}

    image = hello.build(builder="remote", remote=ours)

    assert json.loads(image.model_dump_json())["config_digest"].startswith("sha256:")
