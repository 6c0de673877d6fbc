"""Releases that build nothing, clean-up, and removal."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.e2e.conftest import Host, docker
from tests.e2e.projects import write_service

pytestmark = pytest.mark.e2e


def test_a_configuration_alone_is_released_without_a_dockerfile(host: Host, tmp_path: Path) -> None:
    project = write_service(tmp_path / "shop", settings=host.settings(run={"env": {"SHOP_LEVEL": "low"}}))
    first = host.release(project.folder)
    assert first.code == 0, first
    write_service(tmp_path / "shop", settings=host.settings(run={"env": {"SHOP_LEVEL": "high"}}))
    (project.folder / "Dockerfile").unlink()
    second = host.release(project.folder, "--config-only")
    assert second.code == 0, second
    assert set(second.stages()) == {"preflight", "keep_image", "rollout", "seal"}
    assert second.finished["serves"]["image"] == first.finished["serves"]["image"]
    assert host.ask("/env?name=SHOP_LEVEL").json == {"value": "high"}
    assert host.release(project.folder, "--config-only").finished["cause"] == "nothing-to-do"


def test_a_configuration_alone_needs_something_that_serves(host: Host, tmp_path: Path) -> None:
    project = write_service(tmp_path / "shop", settings=host.settings())
    ended = host.release(project.folder, "--config-only")
    assert ended.code == 2, ended
    assert "nothing serves" in ended.said


def test_an_image_that_exists_is_judged_and_released(host: Host, tmp_path: Path) -> None:
    project = write_service(tmp_path / "shop", settings=host.settings())
    first = host.release(project.folder)
    assert first.code == 0, first
    name = f"e2e-{os.getpid()}:given"
    docker("tag", first.finished["serves"]["image"], name)
    try:
        assert host.run("remove", "--yes", "-C", project.folder).code == 0
        ended = host.release(project.folder, "--image", name)
    finally:
        docker("rmi", name)
    assert ended.code == 0, ended
    assert {"admit", "scan", "sbom", "smoke", "size", "gate"} <= set(ended.stages())
    assert "build" not in ended.stages()
    assert host.ask().json["version"] == "1"
    assert any("no build" in event.get("text", "") for event in ended.events)


def test_what_is_published_serves_nothing_and_is_released_later_without_a_second_build(
    host: Host, tmp_path: Path
) -> None:
    place = f"{host.rig.registry}/e2e-{os.getpid()}"
    write_service(tmp_path / "shop", settings=host.settings(image={"repository": f"{place}/shop"}))
    published = host.run("publish", "--json", "-C", tmp_path / "shop")
    assert published.code == 0, published
    assert {"build", "scan", "sbom", "smoke", "size", "gate", "publish"} <= set(published.stages())
    assert not {"rollout", "seal"} & set(published.stages())
    image = published.finished["image"]
    assert image.startswith(f"{place}/shop@sha256:")
    assert host.containers(every=True) == []
    ended = host.release(tmp_path / "shop")
    assert ended.code == 0, ended
    assert {ended.stages()[name] for name in ("build", "scan", "smoke")} == {"reused"}
    assert ended.finished["serves"]["image"] == image

    write_service(tmp_path / "shop", settings=host.settings(image={"repository": f"{place}/kept"}))
    kept = host.run("publish", "-q", "--image", image, "-C", tmp_path / "shop")
    assert (kept.code, kept.stdout) == (0, image.replace("/shop@", "/kept@") + "\n"), kept


def test_nothing_is_published_without_a_registry_nor_past_the_gate(host: Host, tmp_path: Path) -> None:
    write_service(tmp_path / "shop", settings=host.settings())
    ended = host.run("publish", "--json", "-C", tmp_path / "shop")
    assert ended.code == 2, ended
    assert "image.repository" in ended.said
    assert "build" not in ended.stages()
    repository = f"{host.rig.registry}/e2e-{os.getpid()}/bad"
    write_service(tmp_path / "shop", behaviour="crash", settings=host.settings(image={"repository": repository}))
    ended = host.run("publish", "-q", "-C", tmp_path / "shop")
    assert (ended.code, ended.stdout) == (14, ""), ended
    assert host.run("publish", "--image", f"{repository}:1", "-C", tmp_path / "shop").code == 2


def test_an_image_that_is_no_service_is_refused_by_the_gate(host: Host, tmp_path: Path) -> None:
    project = write_service(tmp_path / "shop", settings=host.settings())
    ended = host.release(project.folder, "--image", "python:3.11-slim")
    assert ended.code == 14, ended
    missing = host.release(project.folder, "--image", f"{host.rig.registry}/e2e/nobody:1")
    assert missing.code == 2, missing


def test_cleaning_up_leaves_the_way_back(host: Host, tmp_path: Path) -> None:
    for version in ("1", "2", "3", "4"):
        project = write_service(tmp_path / "shop", version=version, settings=host.settings())
        ended = host.release(project.folder)
        assert ended.code == 0, ended
    planned = host.run("gc", "--plan", "--keep", "1", "-C", project.folder)
    assert planned.code == 0, planned
    assert "stays: #3, #4" in planned.stdout, planned
    ended = host.run("gc", "--keep", "1", "--json", "-C", project.folder)
    assert (ended.code, ended.finished["cause"]) == (0, "cleared"), ended
    assert host.run("gc", "--keep", "1", "--json", "-C", project.folder).finished["cause"] == "nothing-to-do"
    assert host.run("rollback", "-C", project.folder).code == 0
    assert host.ask().json["version"] == "3"


def test_removal_leaves_nothing_of_the_service(host: Host, tmp_path: Path) -> None:
    settings = host.settings(run={"secrets": {"TOKEN": "env:TOKEN"}})
    project = write_service(tmp_path / "shop", settings=settings)
    ended = host.release(project.folder, env={"TOKEN": "x"})
    assert ended.code == 0, ended
    refused = host.run("remove", "--service", "shop")
    assert refused.code == 2, refused
    assert "--yes" in refused.stderr
    ended = host.run("remove", "--service", "shop", "--yes", "--json")
    assert (ended.code, ended.finished["cause"]) == (0, "removed"), ended
    left = docker("ps", "-aq", "--filter", f"name=^{host.namespace}-")
    left += docker("volume", "ls", "-q", "--filter", f"name=^{host.namespace}-")
    left += docker("network", "ls", "-q", "--filter", f"name=^{host.namespace}$")
    assert left == ""
    assert host.run("status", "-C", project.folder).stdout.count("nothing serves") == 1
