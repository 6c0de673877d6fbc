"""Builds on a real engine."""

from __future__ import annotations

import json
import os
import subprocess
import tarfile
import threading
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from shipper.errors import BuildError, ConfigError, Interrupted, PublishError
from shipper.images.engine import DockerEngine
from shipper.model.secret import Secret
from tests.integration.images.conftest import SERVICE, Project, Switch, Told

pytestmark = pytest.mark.integration

MakeProject = Callable[[Mapping[str, str]], Project]

HELLO = {
    "Dockerfile": "FROM python:3.11-slim\nWORKDIR /srv\nCOPY app.py .\nRUN echo built\nUSER 1000\n",
    "app.py": "print('hello')\n",
}


def void(_: object) -> None:
    """For a callback whose result nobody wants."""


def names(engine: DockerEngine) -> list[str]:
    listed = engine.client.api.images(name=f"shipper.local/{SERVICE}")
    return [tag for image in listed for tag in image["RepoTags"] or ()]


def test_the_same_sources_give_the_same_image_and_come_from_the_cache(
    project: MakeProject, engine: DockerEngine
) -> None:
    hello = project({**HELLO, "unique": uuid.uuid4().hex, "Dockerfile": HELLO["Dockerfile"] + "COPY unique .\n"})

    first, second = hello.build(), hello.build()

    assert (first.cached, second.cached) == (False, True)
    assert second == first.model_copy(update={"cached": True})
    assert first.reference == f"shipper.local/{SERVICE}:{first.config_digest[7:39]}"
    assert (first.user, first.platform) == ("1000", engine.platform())
    assert engine.has(first)
    assert not any(":building-" in name for name in names(engine))


def test_another_file_gives_another_image_and_both_stay(project: MakeProject, engine: DockerEngine) -> None:
    hello = project(HELLO)
    first = hello.build()

    second = hello.write({"app.py": "print('changed')\n"}).build()

    assert second.config_digest != first.config_digest
    assert engine.has(first)
    assert engine.has(second)


def test_one_stage_of_several_is_built(project: MakeProject, engine: DockerEngine) -> None:
    staged = project({"Dockerfile": "FROM python:3.11-slim AS web\nENV A=web\nFROM web AS worker\nENV A=worker\n"})

    web, last = staged.build(stage="web"), staged.build()

    def variables(reference: str) -> list[str]:
        return list(engine.client.images.get(reference).attrs["Config"]["Env"])

    assert "A=web" in variables(web.reference)
    assert "A=worker" in variables(last.reference)


def test_a_build_secret_is_there_during_the_step_and_nowhere_afterwards(
    project: MakeProject, engine: DockerEngine, told: Told
) -> None:
    value = f"s3cr3t-{uuid.uuid4().hex}"
    step = f"echo {uuid.uuid4().hex}; wc -c < /run/secrets/TOKEN; cat /run/secrets/TOKEN"
    dockerfile = f"FROM python:3.11-slim\nRUN --mount=type=secret,id=TOKEN {step}\n"
    image = project({"Dockerfile": dockerfile}).build(told, secrets=(Secret("TOKEN", value.encode()),))

    assert str(len(value)) in told.lines
    archive = engine.archive(image, told, Switch())
    with tarfile.open(archive) as tar:
        for member in tar.getmembers():
            stream = tar.extractfile(member) if member.isfile() else None
            assert stream is None or value.encode() not in stream.read()
    assert value not in json.dumps(engine.client.api.history(image.reference))  # type: ignore[no-untyped-call]
    assert value not in "\n".join((*told.lines, *told.steps))


def test_build_arguments_are_used_and_never_shown(project: MakeProject, told: Told) -> None:
    files = {"Dockerfile": "FROM python:3.11-slim\nARG WHO\nRUN echo hello ${WHO}; false\n"}

    with pytest.raises(BuildError) as failed:
        project(files).build(told, build_args={"WHO": "hunter2hunter2"})

    everything = "\n".join((*told.lines, *told.steps, failed.value.message, *failed.value.details))
    assert "hello ***" in everything
    assert "hunter2" not in everything


def test_a_failing_step_shows_its_place_and_last_lines(project: MakeProject, engine: DockerEngine) -> None:
    files = {"Dockerfile": "FROM python:3.11-slim\nRUN (seq 1 100; echo broken) >&2; exit 3\n"}

    with pytest.raises(BuildError, match=r"at Dockerfile:2, step 2/2: RUN \(seq 1 100.*: exit code 3") as failed:
        project(files).build()

    assert {"100", "broken"} <= set(failed.value.details)
    assert len([line for line in failed.value.details if line.isdigit()]) == 39
    assert not any(":building-" in name for name in names(engine))


def test_a_file_that_dockerignore_keeps_out_is_named(project: MakeProject) -> None:
    dockerfile = "FROM python:3.11-slim\nCOPY model.onnx .\n"
    files = {"Dockerfile": dockerfile, "model.onnx": "1", ".dockerignore": "# large\n*.onnx\n"}

    with pytest.raises(BuildError) as failed:
        project(files).build()

    assert failed.value.hint == "model.onnx is there, but .dockerignore:2 (*.onnx) keeps it out"


@pytest.mark.parametrize(
    ("dockerfile", "image", "hint"),
    [
        ("FROM python:3.11-slim AS web\n", {"stage": "nobody"}, "image.stage"),
        (
            "FROM python:3.11-slim\nRUN --mount=type=secret,id=T,required=true cat /run/secrets/T\n",
            {},
            "[image.secrets]",
        ),
        ("FROM python:3.11-slim\nFROB x\n", {}, "correct the Dockerfile"),
        ("FROM 127.0.0.1:5000/nobody/nothing:1\n", {}, "base image"),
    ],
)
def test_what_to_do_about_a_common_mistake(
    project: MakeProject, dockerfile: str, image: dict[str, Any], hint: str
) -> None:
    with pytest.raises(BuildError) as failed:
        project({"Dockerfile": dockerfile}).build(**image)

    assert hint in failed.value.hint


def test_a_dockerfile_outside_of_the_repository_is_refused(project: MakeProject, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM python:3.11-slim\n")
    hostile = project({"app.py": "1"})
    (hostile.root / "Dockerfile").symlink_to(tmp_path / "Dockerfile")

    with pytest.raises(ConfigError, match="leaves the repository"):
        hostile.build()


def test_a_context_that_changes_meanwhile_is_refused(project: MakeProject, told: Told) -> None:
    hello = project({"Dockerfile": "FROM python:3.11-slim\nCOPY app.py /\nRUN echo " + uuid.uuid4().hex, "app.py": "1"})
    told.when = lambda _: void(hello.write({"app.py": "2"}))

    with pytest.raises(BuildError, match="changed while it was being built"):
        hello.build(told)


def test_cancelling_ends_the_build_and_leaves_nothing(
    project: MakeProject, engine: DockerEngine, told: Told, switch: Switch
) -> None:
    mark = f"54{uuid.uuid4().int % 10**9}"
    sleeping = project({"Dockerfile": f"FROM python:3.11-slim\nRUN echo sleeping now; sleep {mark}\n"})
    told.when = lambda line: threading.Thread(target=switch.throw).start() if line == "sleeping now" else None

    with pytest.raises(Interrupted):
        engine.build(sleeping.request(), told, switch)

    assert "sleeping now" in told.lines
    assert not any(":building-" in name for name in names(engine))
    assert _gone(f"sleep {mark}")
    assert _gone(f"{sleeping.root}/Dockerfile")


def _gone(words: str) -> bool:
    """Whether no process has these words in its command line; the engine needs a moment to notice."""
    moment = threading.Event()
    for _ in range(200):
        found = subprocess.run(["pgrep", "-f", "--", words], capture_output=True, text=True).stdout.split()
        if not [pid for pid in found if int(pid) != os.getpid()]:
            return True
        moment.wait(0.05)
    return False


def test_a_build_that_takes_too_long_is_ended(project: MakeProject) -> None:
    with pytest.raises(BuildError, match=r"did not end within image.timeout \(2.0 s\)"):
        project({"Dockerfile": "FROM python:3.11-slim\nRUN sleep 600\n"}).build(timeout=2)


def test_an_image_is_saved_once_and_only_the_very_same(
    project: MakeProject, engine: DockerEngine, told: Told, switch: Switch
) -> None:
    image = project(HELLO).build()
    other = project({"Dockerfile": "FROM python:3.11-slim\nENV OTHER=1\n"}).build()

    archive = engine.archive(image, told, switch)
    written = archive.stat()

    assert engine.archive(image, told, switch) == archive
    assert archive.stat().st_mtime_ns == written.st_mtime_ns
    assert written.st_size >= image.size * 0.9
    with pytest.raises(PublishError, match="not the one that was built"):
        engine.archive(other.model_copy(update={"reference": image.reference}), told, switch)


def test_old_images_go_but_not_those_in_use(project: MakeProject, engine: DockerEngine) -> None:
    hello = project(HELLO)
    builds = [hello.write({"app.py": f"print({number})"}).build() for number in range(4)]
    repository, tag = f"shipper.local/{SERVICE}", "building-1000000000-0123456789ab"
    left_by_a_crash = f"{repository}:{tag}"
    engine.client.api.tag(builds[3].engine_id, repository, tag)
    container = engine.client.containers.create(builds[0].reference, "true", labels={"images-test": SERVICE})
    try:
        engine.prune(SERVICE, keep=2)
        assert [engine.has(image) for image in builds] == [True, False, True, True]
        assert left_by_a_crash not in names(engine)
    finally:
        container.remove()


def test_an_engine_that_runs_services_of_ours_is_known_as_one(engine: DockerEngine) -> None:
    volume = engine.client.volumes.create(f"{SERVICE}-state", labels={"shipper.host": SERVICE})
    try:
        assert engine.hosts_services()
    finally:
        volume.remove()
