"""The build cache in a registry with the engine's own BuildKit, in both image stores."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping

import pytest

from shipper.images.engine import DockerEngine, connect
from tests.integration.images.conftest import Project, Switch, Told
from tests.rig.api import Rig
from tests.rig.isolated import IsolatedEngine

pytestmark = pytest.mark.integration

MakeProject = Callable[[Mapping[str, str]], Project]


@pytest.fixture(scope="module")
def inside(rig: Rig) -> Iterator[IsolatedEngine]:
    """An engine with the containerd store and a registry of its own."""
    with IsolatedEngine("containerd") as engine:
        yield engine


@pytest.fixture(scope="module")
def other(inside: IsolatedEngine) -> Iterator[DockerEngine]:
    with connect(inside.docker_host) as engine:
        yield engine


def unique() -> dict[str, str]:
    return {"Dockerfile": f"FROM python:3.11-slim\nRUN echo {uuid.uuid4().hex} > /built\n"}


def test_the_containerd_store_writes_the_cache_and_reads_it_again(
    project: MakeProject, inside: IsolatedEngine, other: DockerEngine, told: Told
) -> None:
    request = project(unique()).request(cache=f"{inside.registry}/cache/{uuid.uuid4().hex[:12]}")
    first = other.build(request, told, Switch())

    other.client.images.remove(first.reference, force=True)
    inside.run(["docker", "builder", "prune", "--all", "--force"])
    again = other.build(request, told, Switch())

    assert (first.cached, again.cached, told.remarks) == (False, True, [])
    assert again.config_digest == first.config_digest


def test_without_the_cache_it_would_have_been_built_again(
    project: MakeProject, inside: IsolatedEngine, other: DockerEngine, told: Told
) -> None:
    request = project(unique()).request()
    first = other.build(request, told, Switch())

    other.client.images.remove(first.reference, force=True)
    inside.run(["docker", "builder", "prune", "--all", "--force"])

    assert not other.build(request, told, Switch()).cached


def test_the_classic_store_cannot_write_it_and_says_so(
    project: MakeProject, rig: Rig, engine: DockerEngine, told: Told
) -> None:
    if engine.store != "classic":
        pytest.skip("this machine's engine has the containerd store")
    cache = f"{rig.registry}/cache/{uuid.uuid4().hex[:12]}"

    image = project(unique()).build(told, cache=cache)

    assert engine.has(image)
    assert told.remarks == [f"the cache {cache} is not written: the engine's image store cannot"]


def test_a_cache_that_cannot_be_written_is_a_remark(project: MakeProject, other: DockerEngine, told: Told) -> None:
    image = other.build(project(unique()).request(cache="127.0.0.1:9/team/cache"), told, Switch())

    assert other.has(image)
    assert [remark.partition(":")[0] for remark in told.remarks] == [
        "the build cache was not read",
        "the build cache was not written",
    ]
