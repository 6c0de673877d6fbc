"""Images of the rig's Cloud Run come from the rig's Artifact Registry, as its service agent may read them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import pytest
from google.cloud import artifactregistry_v1 as ar
from google.oauth2.credentials import Credentials

from tests.conftest import needed
from tests.rig.api import Rig
from tests.rig.google.artifacts import part
from tests.rig.google.cloudrun.contract import RunSpec, World
from tests.rig.google.cloudrun.instances import make
from tests.rig.google.identity import Identity
from tests.rig.machine import alone, survey

pytestmark = [pytest.mark.integration, pytest.mark.sample(1, of="module")]

HOST = "europe-west1-docker.pkg.dev"
AGENT = "service-7@serverless-robot-prod.iam.gserviceaccount.com"
READ = "artifactregistry.repositories.downloadArtifacts"


@dataclass
class Pushed:
    """An image in a repository of a test's own. `auth` is for Instances: the agent's credentials."""

    project: str
    reference: str
    identity: Identity
    api: Any

    def auth(self, host: str) -> Mapping[str, str]:
        return {"username": "oauth2accesstoken", "password": self.identity.access_token(AGENT)}

    def start(self, revision: str, reference: str = "") -> Any:
        """How the start of a revision of the image ends, with instances of its own."""
        world = World(lambda ref: b"", lambda bucket: "", lambda token, audience: None, lambda service, member: True)
        instances = make(world, self.auth)
        command = ("python3", "-m", "http.server", "8080")
        try:
            image = reference or self.reference
            return instances.start(RunSpec(self.project, "europe-west1", "shop", revision, image, command=command))
        finally:
            instances.close()


@pytest.fixture
def pushed(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pushed]:
    """The base image, pushed by the engine: so the engine has it by that reference."""
    machine = survey()

    def there() -> Rig:
        with alone(machine.state):
            if part.look(machine) is None:
                part.make(machine)
        return rig

    needed(there)
    for name, value in part.env(machine).items():
        monkeypatch.setenv(name, value)
    identity = Identity(part.identity_folder(machine))
    project = f"rig-{uuid.uuid4().hex[:12]}"
    token = identity.access_token("tester@example.com")
    api: Any = ar.ArtifactRegistryClient(credentials=Credentials(token), transport="rest")  # type: ignore[no-untyped-call]
    parent = f"projects/{project}/locations/europe-west1"
    repository = ar.Repository(format_=ar.Repository.Format.DOCKER)
    made = api.create_repository({"parent": parent, "repository_id": "models", "repository": repository}).result()
    client = docker.from_env()
    name = f"{HOST}/{project}/models/shop"
    client.images.get(rig.base_image).tag(name, "1")
    login = {"username": "oauth2accesstoken", "password": token}
    said = list(client.api.push(name, "1", auth_config=login, stream=True, decode=True))
    assert not any("error" in line for line in said), said
    digests = client.images.get(f"{name}:1").attrs["RepoDigests"]
    reference = next(one for one in digests if one.startswith(f"{name}@"))
    try:
        yield Pushed(project, reference, identity, api)
    finally:
        client.images.remove(f"{name}:1")
        client.close()
        api.delete_repository(name=made.name).result()


def test_an_image_is_pulled_by_its_digest_with_the_service_agents_token(pushed: Pushed) -> None:
    client = docker.from_env()
    client.images.remove(f"{pushed.reference.partition('@')[0]}:1")
    with pytest.raises(docker.errors.ImageNotFound):
        client.images.get(pushed.reference)

    outcome = pushed.start("shop-1")

    assert outcome.ok, outcome
    client.images.get(pushed.reference).tag(pushed.reference.partition("@")[0], "1")  # the fixture's
    client.close()


def test_an_image_that_the_agent_may_not_read_is_denied_though_the_engine_has_it(pushed: Pushed) -> None:
    pushed.identity.deny(AGENT, READ, pushed.project)

    denied = pushed.start("shop-1")
    pushed.identity.allow(AGENT, READ, pushed.project)
    allowed = pushed.start("shop-2")

    assert (denied.reason, denied.code) == ("CONTAINER_PERMISSION_DENIED", "PERMISSION_DENIED")
    assert f"must have permission to read the image, {pushed.reference}" in denied.message
    assert allowed.ok, allowed


def test_an_image_that_is_not_there_or_was_deleted_is_missing(pushed: Pushed) -> None:
    name, _, digest = pushed.reference.partition("@")
    package = f"projects/{pushed.project}/locations/europe-west1/repositories/models/packages/shop"

    never = pushed.start("shop-1", f"{name}@sha256:{'0' * 64}")
    pushed.api.delete_package(name=package).result()
    deleted = pushed.start("shop-2")

    assert (never.reason, never.message) == ("CONTAINER_MISSING", f"Image '{name}@sha256:{'0' * 64}' not found.")
    assert (deleted.reason, deleted.message) == ("CONTAINER_MISSING", f"Image '{name}@{digest}' not found.")


def test_a_registry_that_does_not_know_the_credentials_leaves_it_to_what_the_engine_has(
    pushed: Pushed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stranger = Identity(tmp_path)
    monkeypatch.setattr(pushed, "identity", stranger)

    assert pushed.start("shop-1").ok
