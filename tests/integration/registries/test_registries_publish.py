"""Publishing to a real registry, and proving what it holds."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping

import httpx
import pytest

from shipper.errors import CredentialsError, Interrupted, PublishError, UnreachableError
from shipper.images.engine import DockerEngine
from shipper.images.local import drop
from shipper.model import Image
from shipper.registries.oci import OciRegistry
from tests.integration.images.conftest import Project, Switch, Told
from tests.integration.registries.conftest import free_port

pytestmark = pytest.mark.integration

MakeProject = Callable[[Mapping[str, str]], Project]


@pytest.fixture
def image(project: MakeProject) -> Image:
    return project({"Dockerfile": "FROM python:3.11-slim\nENV WHO=tested\n"}).build()


@pytest.fixture
def other(project: MakeProject) -> Image:
    return project({"Dockerfile": "FROM python:3.11-slim\nENV WHO=other\n"}).build()


@pytest.fixture
def registry(engine: DockerEngine, repository: str) -> Iterator[OciRegistry]:
    yield OciRegistry(engine.docker_host)
    for listed in engine.client.api.images():
        for name in (*(listed["RepoTags"] or ()), *(listed["RepoDigests"] or ())):
            if name.startswith(repository):
                drop(engine.client, name)


def pushed(told: Told) -> bool:
    return any(step.startswith(("pushing", "proving")) for step in told.steps)


def test_what_was_built_is_published_and_proved(
    image: Image, registry: OciRegistry, repository: str, engine: DockerEngine, told: Told, switch: Switch
) -> None:
    reference = registry.publish(image, repository, "cfg-1", told, switch)

    assert reference.config_digest == image.config_digest
    assert reference.reference == f"{repository}@{reference.manifest_digest}"
    assert pushed(told)
    pulled = engine.client.images.pull(reference.reference)
    assert pulled.id == image.engine_id
    assert registry.prove(image, repository, "cfg-1") == reference
    assert registry.prove(image, repository, reference.manifest_digest or "") == reference


def test_what_is_there_already_is_proved_and_not_pushed_again(
    image: Image, registry: OciRegistry, repository: str, told: Told, switch: Switch
) -> None:
    first = registry.publish(image, repository, "cfg-1", Told(), switch)

    assert registry.publish(image, repository, "cfg-1", told, switch) == first
    assert not pushed(told)


def test_a_tag_that_held_another_image_is_taken_over(
    image: Image, other: Image, registry: OciRegistry, repository: str, told: Told, switch: Switch
) -> None:
    registry.publish(other, repository, "cfg-1", told, switch)

    assert registry.publish(image, repository, "cfg-1", told, switch).config_digest == image.config_digest


def test_an_image_that_is_swapped_in_the_registry_is_refused(
    image: Image, other: Image, registry: OciRegistry, repository: str, told: Told, switch: Switch
) -> None:
    registry.publish(image, repository, "cfg-1", told, switch)
    swapped = registry.publish(other, repository, "cfg-1", told, switch)

    with pytest.raises(PublishError, match=f"the registry holds another image under {repository}:cfg-1") as refused:
        registry.prove(image, repository, "cfg-1")
    assert refused.value.details == (
        f"expected config {image.config_digest}",
        f"found    config {other.config_digest}",
    )
    with pytest.raises(PublishError, match="another image"):
        registry.prove(image, repository, swapped.manifest_digest or "")


def test_a_swap_between_push_and_proof_is_refused(
    image: Image, other: Image, registry: OciRegistry, repository: str, told: Told, switch: Switch
) -> None:
    def swap(step: str) -> None:
        if step.startswith("proving"):
            registry.publish(other, repository, "cfg-1", Told(), switch)

    told.when = swap

    with pytest.raises(PublishError, match="another image"):
        registry.publish(image, repository, "cfg-1", told, switch)


def test_an_index_is_refused_even_when_it_names_the_tested_image(
    image: Image, registry: OciRegistry, repository: str, told: Told, switch: Switch
) -> None:
    published = registry.publish(image, repository, "cfg-1", told, switch)
    host, _, path = repository.partition("/")
    base = f"http://{host}/v2/{path}/manifests"
    media_type = "application/vnd.docker.distribution.manifest.v2+json"
    manifest = httpx.get(f"{base}/cfg-1", headers={"Accept": media_type}).content
    index_type = "application/vnd.oci.image.index.v1+json"
    entry = {"mediaType": media_type, "digest": published.manifest_digest, "size": len(manifest)}
    index = {"schemaVersion": 2, "mediaType": index_type, "manifests": [entry]}
    put = httpx.put(f"{base}/many", content=json.dumps(index), headers={"Content-Type": index_type})
    assert put.status_code == 201

    with pytest.raises(PublishError, match="an index of several images"):
        registry.prove(image, repository, "many")


def test_nothing_there_is_said(image: Image, registry: OciRegistry, repository: str) -> None:
    with pytest.raises(PublishError, match=f"the registry holds nothing under {repository}:none"):
        registry.prove(image, repository, "none")


def test_a_registry_that_is_not_there_is_unreachable(
    image: Image, engine: DockerEngine, told: Told, switch: Switch
) -> None:
    with pytest.raises(UnreachableError, match="does not answer"):
        OciRegistry(engine.docker_host).publish(image, f"127.0.0.1:{free_port()}/x", "t", told, switch)


def test_cancelling_does_not_wait_for_a_registry_that_is_not_there(
    image: Image, engine: DockerEngine, told: Told, switch: Switch
) -> None:
    told.when = lambda _: switch.throw()
    started = time.monotonic()

    with pytest.raises(Interrupted):
        OciRegistry(engine.docker_host).publish(image, f"127.0.0.1:{free_port()}/x", "t", told, switch)

    assert time.monotonic() - started < 2


def test_cancelling_a_push_leaves_nothing_under_the_tag(
    project: MakeProject, registry: OciRegistry, repository: str, told: Told, switch: Switch
) -> None:
    files = {"Dockerfile": "FROM python:3.11-slim\nRUN head -c 200000000 /dev/urandom > /large\n"}
    large = project(files).build()
    told.when = lambda step: switch.throw() if step.startswith("pushing") else None

    with pytest.raises(Interrupted):
        registry.publish(large, repository, "t", told, switch)

    with pytest.raises(PublishError, match="holds nothing"):
        registry.prove(large, repository, "t")


def test_only_who_may_push_can_publish(
    image: Image,
    engine: DockerEngine,
    closed_registry: str,
    logged_in: Callable[[str, str], None],
    told: Told,
    switch: Switch,
) -> None:
    registry, repository = OciRegistry(engine.docker_host), f"{closed_registry}/team/iris"

    with pytest.raises(CredentialsError, match="asks for credentials and there are none"):
        registry.publish(image, repository, "t", told, switch)
    logged_in(closed_registry, "wrong")
    with pytest.raises(CredentialsError, match="401") as refused:
        registry.publish(image, repository, "t", told, switch)
    assert refused.value.code == 32
    assert refused.value.hint == f"docker login {closed_registry}, with a user who may push to team/iris"
    assert not pushed(told)

    logged_in(closed_registry, "correct horse")
    try:
        published = registry.publish(image, repository, "t", told, switch)
    finally:
        engine.client.images.remove(f"{repository}:t")
    assert published.config_digest == image.config_digest
