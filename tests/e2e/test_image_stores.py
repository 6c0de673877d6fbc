"""Both image stores of the engine: the proof by config digest holds, and a swapped image never serves."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import needed_or_skipped
from tests.e2e.machine import own_home
from tests.e2e.projects import write_service
from tests.rig.api import Rig
from tests.rig.isolated import IsolatedEngine

pytestmark = [pytest.mark.e2e, pytest.mark.sample(1)]  # the same store for all of them


@dataclass(frozen=True)
class Store:
    """An engine of its own with one image store, and the installed command in its namespaces."""

    engine: IsolatedEngine
    shipper: Path
    rig: Rig
    home: Path

    def release(self, folder: Path, *words: str) -> tuple[int, list[dict[str, Any]]]:
        """`shipper release --json`, where this engine's ports and registry are."""
        env = {**self.rig.env(), **own_home(self.home), "DOCKER_HOST": self.engine.docker_host}
        done = self.engine.run([self.shipper, "release", "--json", "-C", folder, *words], env=env, cwd=self.home)
        return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]

    def docker(self, *words: str) -> str:
        """Ask this engine, beside shipper."""
        done = self.engine.run(["docker", *words])
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


@pytest.fixture(scope="module", params=["overlay2", "containerd"])
def store(
    request: pytest.FixtureRequest, shipper: Path, rig: Rig, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Store]:
    """The classic store and the containerd store."""
    if os.geteuid() != 0:
        needed_or_skipped("a second engine needs root")
    with IsolatedEngine(store=request.param) as engine:
        yield Store(engine, shipper, rig, tmp_path_factory.mktemp(request.param))


def test_without_a_registry_the_config_digest_proves_what_runs(store: Store, tmp_path: Path) -> None:
    settings = {"targets": {"local": {"kind": "docker", "port": 8090, "namespace": "bare"}}}
    project = write_service(tmp_path / "shop", settings=settings)
    code, events = store.release(project.folder)
    assert code == 0, events[-1]
    assert events[-1]["serves"]["proof"] == "identity"
    _, _, body = store.engine.ask("http://127.0.0.1:8090/", host="shop.localhost")
    assert json.loads(body)["version"] == "1"
    code, events = store.release(project.folder)
    assert (code, events[-1]["cause"]) == (0, "nothing-to-do"), events[-1]


def test_with_a_registry_a_swapped_image_never_serves(store: Store, tmp_path: Path) -> None:
    repository = f"{store.engine.registry}/team/shop"
    settings = {
        "image": {"repository": repository},
        "targets": {"local": {"kind": "docker", "port": 8091, "namespace": "pushed"}},
    }
    project = write_service(tmp_path / "shop", settings=settings)
    code, events = store.release(project.folder)
    assert code == 0, events[-1]
    tested = events[-1]["serves"]["image"]
    tag = _only_tag(store, repository)
    # Somebody else's image under our tag.
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "Dockerfile").write_text('FROM python:3.11-slim\nCMD ["sleep", "1"]\n')
    store.docker("build", "--provenance=false", "-q", "-t", f"{repository}:{tag}", str(tmp_path / "other"))
    store.docker("push", "-q", f"{repository}:{tag}")
    write_service(tmp_path / "shop", settings={**settings, "run": {"env": {"LOG_LEVEL": "debug"}}})
    code, events = store.release(project.folder)
    if code == 0:
        assert events[-1]["serves"]["image"] == tested
    else:
        assert code == 15, events[-1]
        assert "another image" in json.dumps(events[-1])
    _, _, body = store.engine.ask("http://127.0.0.1:8091/", host="shop.localhost")
    assert json.loads(body)["version"] == "1"


def test_an_image_that_exists_is_known_by_its_config_digest(store: Store, tmp_path: Path) -> None:
    settings = {"targets": {"local": {"kind": "docker", "port": 8092, "namespace": "given"}}}
    project = write_service(tmp_path / "shop", settings=settings)
    store.docker("build", "--provenance=false", "-q", "-t", "given:1", str(project.folder))
    code, events = store.release(project.folder, "--image", "given:1")
    assert code == 0, events[-1]
    _, _, body = store.engine.ask("http://127.0.0.1:8092/", host="shop.localhost")
    assert json.loads(body)["version"] == "1"


def _only_tag(store: Store, repository: str) -> str:
    name = repository.partition("/")[2]
    _, _, body = store.engine.ask(f"http://{store.engine.registry}/v2/{name}/tags/list")
    (tag,) = json.loads(body)["tags"]
    return str(tag)
