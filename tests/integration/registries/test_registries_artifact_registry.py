"""Publishing to Artifact Registry: repositories that are made, kept and refused, and tokens that end on the way."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

import pytest

from shipper.errors import CredentialsError, Interrupted, PublishError
from shipper.images.engine import DockerEngine
from shipper.images.local import drop
from shipper.model import Image
from shipper.registries.oci import OciRegistry
from tests.integration.images.conftest import Project, Switch, Told
from tests.integration.registries.cloud import CREATE, UPLOAD, Cloud

pytestmark = pytest.mark.integration

MakeProject = Callable[[Mapping[str, str]], Project]
Make = Callable[[str], Image]
DOCKERFILE = "FROM scratch\nCOPY who /who\n"


@pytest.fixture
def make(project: MakeProject) -> Make:
    return lambda who: project({"Dockerfile": DOCKERFILE, "who": who}).build()


@pytest.fixture
def image(make: Make, cloud: Cloud) -> Image:
    return make(cloud.project)


@pytest.fixture
def registry(engine: DockerEngine, cloud: Cloud) -> Iterator[OciRegistry]:
    """One that makes no repository."""
    cloud.with_key()
    yield OciRegistry(engine.docker_host)
    for tag in ("cfg-1", "cfg-2"):
        drop(engine.client, f"{cloud.repository}:{tag}")


@pytest.fixture
def creating(engine: DockerEngine, registry: OciRegistry) -> OciRegistry:
    """One that makes a repository which keeps five releases."""
    return OciRegistry(engine.docker_host, create_for=5)


def test_a_repository_that_is_not_there_is_an_error_with_the_way_out(
    image: Image, registry: OciRegistry, cloud: Cloud, told: Told, switch: Switch
) -> None:
    with pytest.raises(PublishError, match=f"has no repository {cloud.parent}/repositories/models") as refused:
        registry.publish(image, cloud.repository, "cfg-1", told, switch)
    assert "create_repository = true" in refused.value.hint
    assert refused.value.details[0].startswith("gcloud artifacts repositories create models ")


def test_it_is_made_on_request_with_immutable_tags_and_clean_up_in_dry_run(
    image: Image, creating: OciRegistry, cloud: Cloud, told: Told, switch: Switch
) -> None:
    published = creating.publish(image, cloud.repository, "cfg-1", told, switch)

    [made] = cloud.repositories()
    assert made.docker_config.immutable_tags
    assert made.cleanup_policy_dry_run
    assert sorted(made.cleanup_policies) == ["delete-untagged", "keep-recent", "keep-released"]
    assert any(remark.startswith("made the repository") for remark in told.remarks)
    assert [found.uri for found in cloud.images()] == [published.reference]
    assert creating.publish(image, cloud.repository, "cfg-1", Told(), switch) == published


def test_two_that_make_it_at_once_both_publish(
    image: Image, make: Make, creating: OciRegistry, cloud: Cloud, switch: Switch
) -> None:
    other = make(f"{cloud.project} too")
    with ThreadPoolExecutor() as both:
        first = both.submit(creating.publish, image, cloud.repository, "cfg-1", Told(), switch)
        second = both.submit(creating.publish, other, cloud.repository, "cfg-2", Told(), switch)

    digests = {first.result().manifest_digest, second.result().manifest_digest}
    assert {found.uri.partition("@")[2] for found in cloud.images()} == digests


def test_one_that_is_there_is_not_changed_and_a_dangerous_clean_up_is_told(
    image: Image, creating: OciRegistry, cloud: Cloud, told: Told, switch: Switch
) -> None:
    from google.cloud import artifactregistry_v1 as ar

    old = ar.CleanupPolicyCondition(tag_state=ar.CleanupPolicyCondition.TagState.ANY, older_than="86400s")
    policy = ar.CleanupPolicy(id="old", action=ar.CleanupPolicy.Action.DELETE, condition=old)
    before = cloud.has_repository(cleanup_policies={"old": policy}, cleanup_policy_dry_run=False)

    creating.publish(image, cloud.repository, "cfg-1", told, switch)

    assert [remark for remark in told.remarks if "clean-up policy old" in remark and "rollback targets" in remark]
    [after] = cloud.repositories()
    assert (after.cleanup_policies, after.update_time) == (before.cleanup_policies, before.update_time)


def test_one_that_takes_no_images_is_refused(
    image: Image, creating: OciRegistry, cloud: Cloud, told: Told, switch: Switch
) -> None:
    from google.cloud import artifactregistry_v1 as ar

    cloud.has_repository(mode=ar.Repository.Mode.REMOTE_REPOSITORY)

    with pytest.raises(PublishError, match="takes no images: it is a remote repository for docker"):
        creating.publish(image, cloud.repository, "cfg-1", told, switch)


def test_a_project_of_a_domain_has_its_repository_too(
    image: Image, creating: OciRegistry, cloud: Cloud, told: Told, switch: Switch
) -> None:
    cloud.project = f"example.com:{cloud.name}"

    published = creating.publish(image, cloud.repository, "cfg-1", told, switch)

    assert published.reference.startswith(f"us-central1-docker.pkg.dev/example.com/{cloud.name}/models/iris@")
    assert [found.uri for found in cloud.images()] == [published.reference]


@pytest.mark.parametrize("permission", [CREATE, UPLOAD])
def test_a_permission_that_is_missing_is_named(
    permission: str, image: Image, creating: OciRegistry, cloud: Cloud, told: Told, switch: Switch
) -> None:
    cloud.identity.deny(cloud.account, permission, cloud.project)

    with pytest.raises(CredentialsError, match=permission) as refused:
        creating.publish(image, cloud.repository, "cfg-1", told, switch)
    assert refused.value.code == 32
    assert "roles/artifactregistry." in refused.value.hint


def test_an_immutable_tag_keeps_its_image(
    image: Image, make: Make, registry: OciRegistry, cloud: Cloud, told: Told, switch: Switch
) -> None:
    cloud.has_repository()
    held = registry.publish(image, cloud.repository, "cfg-1", Told(), switch)

    with pytest.raises(PublishError, match="immutable and holds another image"):
        registry.publish(make(f"{cloud.project} too"), cloud.repository, "cfg-1", told, switch)

    assert registry.prove(image, cloud.repository, "cfg-1") == held
    again = Told()
    assert registry.publish(image, cloud.repository, "cfg-1", again, switch) == held
    assert any(step.endswith("has this image already") for step in again.steps)


def test_a_token_that_ends_in_the_middle_of_a_push_is_had_anew(
    project: MakeProject, registry: OciRegistry, cloud: Cloud, told: Told, switch: Switch
) -> None:
    cloud.has_repository()
    fresh = f"FROM python:3.11-slim\nRUN : {cloud.name} && head -c 40000000 /dev/urandom > /large\n"
    large = project({"Dockerfile": fresh}).build()
    ended: list[str] = []

    def end(step: str) -> None:
        if step.startswith("pushing") and not ended:
            cloud.identity.revoke(cloud.account)
            ended.append(step)

    told.when = end

    published = registry.publish(large, cloud.repository, "cfg-1", told, switch)

    assert ended
    assert "logging in again" in told.steps
    assert [found.uri for found in cloud.images()] == [published.reference]


def test_cancelling_does_not_wait_for_a_repository(
    image: Image, creating: OciRegistry, cloud: Cloud, told: Told, switch: Switch
) -> None:
    told.when = lambda step: switch.throw() if step.startswith("making the repository") else None
    started = time.monotonic()

    with pytest.raises(Interrupted):
        creating.publish(image, cloud.repository, "cfg-1", told, switch)

    assert time.monotonic() - started < 3
