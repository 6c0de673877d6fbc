"""A broken service never serves: it is stopped where it shows first, and the message names the cause."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Host, docker
from tests.e2e.machine import Ended
from tests.e2e.projects import Behaviour, write_foreign_binary, write_service

pytestmark = pytest.mark.e2e

SMOKE = [
    ("crash", "crashed", ["FEATURE_STORE_URL", "connecting to the feature store"], {}),
    ("never-ready", "not-ready", ["503"], {"health": {"startup": "3s"}}),
    ("unhealthy", "bad-status", ["500"], {"health": {"startup": "3s"}}),
    ("error", "bad-status", ["500", "ZeroDivisionError"], {}),
    ("wrong-port", "wrong-port", ["8081"], {"health": {"startup": "4s"}}),
    ("loopback", "loopback", ["127.0.0.1", "0.0.0.0"], {"health": {"startup": "4s"}}),
    ("out-of-memory", "out-of-memory", ["memory"], {"run": {"memory": "64MB"}}),
    ("worker-out-of-memory", "out-of-memory", ["memory"], {"run": {"memory": "64MB"}}),
    ("trips-over-bad-input", "bad-status", ["no features"], {}),
]


@pytest.mark.sample(5)
@pytest.mark.parametrize(("behaviour", "cause", "words", "settings"), SMOKE, ids=[row[0] for row in SMOKE])
def test_what_the_smoke_test_sees_never_reaches_the_target(
    host: Host, tmp_path: Path, behaviour: Behaviour, cause: str, words: list[str], settings: dict[str, Any]
) -> None:
    project = write_service(tmp_path / "shop", behaviour=behaviour, settings=host.settings(**settings))
    ended = host.release(project.folder)
    assert ended.code == 14, ended
    findings = [event["evidence"]["findings"] for event in ended.events if event["event"] == "evidence"]
    assert cause in {found["id"] for several in findings for found in several}
    for word in words:
        assert word in ended.said
    assert host.containers(every=True) == []
    assert _candidates() == []


def test_a_program_for_another_processor_is_named_as_such(host: Host, tmp_path: Path) -> None:
    project = write_foreign_binary(tmp_path / "shop", settings=host.settings())
    ended = host.release(project.folder)
    assert ended.code == 14, ended
    assert "architecture" in ended.said or "processor" in ended.said


def test_another_architecture_in_the_configuration_is_found_before_the_build(host: Host, tmp_path: Path) -> None:
    other = "linux/amd64" if _architecture() == "arm64" else "linux/arm64"
    project = write_service(tmp_path / "shop", settings=host.settings(image={"platform": other}))
    ended = host.release(project.folder)
    assert ended.code == 2, ended
    assert other in ended.said
    assert ended.stages().get("build") != "done"


@pytest.mark.sample(1)
@pytest.mark.parametrize("behaviour", ["network-refused", "one-host"])
def test_what_only_the_target_shows_leaves_the_old_one_serving(
    host: Host, tmp_path: Path, behaviour: Behaviour
) -> None:
    good = write_service(tmp_path / "shop", version="1", settings=host.settings())
    ended = host.release(good.folder)
    assert ended.code == 0, ended
    subnet = docker("network", "inspect", host.namespace, "--format", "{{(index .IPAM.Config 0).Subnet}}").strip()
    settings = host.settings(health={"startup": "4s"})
    write_service(tmp_path / "shop", version="2", behaviour=behaviour, network=subnet, settings=settings)
    serving = host.containers()
    ended = host.release(good.folder)
    assert ended.code == 20, ended
    assert host.ask().json["version"] == "1"
    assert host.containers(every=True) == serving
    if behaviour == "network-refused":
        assert "the feature store refuses connections" in ended.said


def test_after_a_failure_the_next_good_release_takes_over(host: Host, tmp_path: Path) -> None:
    project = write_service(tmp_path / "shop", behaviour="crash", settings=host.settings())
    assert host.release(project.folder).code == 14
    write_service(tmp_path / "shop", version="2", settings=host.settings())
    ended = host.release(project.folder)
    assert ended.code == 0, ended
    assert host.ask().json["version"] == "2"


def test_a_person_reads_why_and_what_to_do(host: Host, tmp_path: Path) -> None:
    project = write_service(tmp_path / "shop", behaviour="crash", settings=host.settings())
    ended: Ended = host.run("release", "-C", project.folder)
    assert ended.code == 14
    assert "FEATURE_STORE_URL" in ended.stdout + ended.stderr
    assert "site-packages/shipper" not in ended.stderr


def test_too_large_an_image_is_refused_by_policy(host: Host, tmp_path: Path) -> None:
    project = write_service(tmp_path / "shop", settings=host.settings(image={"max_size": "1MB"}))
    ended = host.release(project.folder)
    assert ended.code == 16, ended
    assert "image.max_size" in ended.said


def test_a_build_that_fails_shows_its_last_lines(host: Host, tmp_path: Path) -> None:
    project = write_service(tmp_path / "shop", settings=host.settings(), git=False)
    dockerfile = project.folder / "Dockerfile"
    dockerfile.write_text(dockerfile.read_text() + "RUN echo the last words && exit 3\n")
    ended = host.release(project.folder)
    assert ended.code == 11, ended
    assert "the last words" in ended.said


def _candidates() -> list[str]:
    return docker("ps", "-aq", "--filter", "label=shipper.smoke").split()


def _architecture() -> str:
    return docker("version", "--format", "{{.Server.Arch}}").strip()
