"""Artifact Registry of the rig: its control plane by Google's client library, its registry by plain HTTP."""

from __future__ import annotations

import base64
import hashlib
import json
import ssl
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from google.api_core import exceptions
from google.cloud import artifactregistry_v1 as ar
from google.oauth2.credentials import Credentials
from google.protobuf.field_mask_pb2 import FieldMask

from tests.conftest import needed
from tests.rig.api import ensure
from tests.rig.google.artifacts import hosts
from tests.rig.google.identity import Identity

pytestmark = [pytest.mark.integration, pytest.mark.sample(4, of="module")]

HOST = "europe-west1-docker.pkg.dev"
WHO = "tester@example.com"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


@dataclass
class Place:
    """A repository of a test's own, and ways to ask about it."""

    project: str
    identity: Identity
    api: Any
    web: httpx.Client

    @property
    def parent(self) -> str:
        return f"projects/{self.project}/locations/europe-west1"

    @property
    def name(self) -> str:
        return f"{self.parent}/repositories/models"

    def create(self, **fields: Any) -> Any:
        repository = ar.Repository(format_=ar.Repository.Format.DOCKER, **fields)
        request = {"parent": self.parent, "repository_id": "models", "repository": repository}
        return self.api.create_repository(request)

    def bearer(self, who: str = WHO) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.identity.access_token(who)}"}

    def push(self, tag: str, content: str, image: str = "iris") -> httpx.Response:
        """A config blob and a manifest of it, as any client pushes them."""
        url = f"https://{HOST}/v2/{self.project}/models/{image}"
        blob = json.dumps({"content": content}).encode()
        kind = "application/vnd.oci.image.config.v1+json"
        config: dict[str, Any] = {"mediaType": kind, "size": len(blob), "digest": digest(blob)}
        begun = self.web.post(f"{url}/blobs/uploads/", headers=self.bearer())
        if begun.status_code != 202:
            return begun
        where = httpx.URL(f"https://{HOST}{begun.headers['location']}").copy_merge_params({"digest": config["digest"]})
        assert self.web.put(where, content=blob, headers=self.bearer()).status_code == 201
        manifest = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": []}).encode()
        headers = {**self.bearer(), "Content-Type": MANIFEST}
        return self.web.put(f"{url}/manifests/{tag}", content=manifest, headers=headers)


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def error_of(response: httpx.Response) -> tuple[int, str, str]:
    found = response.json()["errors"][0]
    return response.status_code, found["code"], found["message"]


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    google = needed(lambda: ensure(["artifacts"])).google
    for name, value in google.env.items():
        monkeypatch.setenv(name, value)
    identity = Identity(google.folder / "identity")
    known = Credentials(identity.access_token(WHO))  # type: ignore[no-untyped-call]
    with httpx.Client(verify=ssl.create_default_context(), trust_env=False) as web:
        api: Any = ar.ArtifactRegistryClient(credentials=known, transport="rest")
        made = Place(f"rig-{uuid.uuid4().hex[:12]}", identity, api, web)
        yield made
        for repository in api.list_repositories(parent=made.parent):
            api.delete_repository(name=repository.name).result()


def test_a_repository_is_there_when_its_operation_ends_and_not_before(place: Place) -> None:
    operation = place.create()

    with pytest.raises(exceptions.NotFound):
        place.api.get_repository(name=place.name)
    made = operation.result()
    assert made.name == place.name
    assert made.registry_uri == f"{HOST}/{place.project}/models"
    assert made.mode == ar.Repository.Mode.STANDARD_REPOSITORY
    assert place.api.get_repository(name=place.name).create_time == made.create_time


def test_a_second_one_of_the_name_is_refused_from_the_first_moment(place: Place) -> None:
    operation = place.create()

    with pytest.raises(exceptions.Conflict, match="already exists"):
        place.create()
    operation.result()
    with pytest.raises(exceptions.Conflict, match="already exists"):
        place.create()


def test_what_the_service_would_not_store_is_refused(place: Place) -> None:
    keep = ar.CleanupPolicy.Action.KEEP
    delete = ar.CleanupPolicy.Action.DELETE
    recent = ar.CleanupPolicyMostRecentVersions(keep_count=5)
    bad = [
        ("models", ar.Repository(), "format"),
        ("Models", ar.Repository(format_=1), "repository_id"),
        ("a", ar.Repository(format_=1, cleanup_policies={"a": ar.CleanupPolicy(id="a", action=keep)}), "condition"),
        (
            "a",
            ar.Repository(
                format_=1, cleanup_policies={"a": ar.CleanupPolicy(id="a", action=delete, most_recent_versions=recent)}
            ),
            "Keep action",
        ),
        (
            "a",
            ar.Repository(
                format_=1,
                cleanup_policies={
                    f"p{n}": ar.CleanupPolicy(id=f"p{n}", action=keep, most_recent_versions=recent) for n in range(11)
                },
            ),
            "at most 10",
        ),
    ]
    for name, repository, words in bad:
        with pytest.raises(exceptions.BadRequest, match=words):
            place.api.create_repository(parent=place.parent, repository_id=name, repository=repository)


def test_an_update_changes_what_its_mask_names(place: Place) -> None:
    place.create(description="before", cleanup_policy_dry_run=True).result()

    sent = ar.Repository(name=place.name, description="after", cleanup_policy_dry_run=False)
    place.api.update_repository(repository=sent, update_mask="description")

    found = place.api.get_repository(name=place.name)
    assert (found.description, found.cleanup_policy_dry_run) == ("after", True)
    with pytest.raises(exceptions.BadRequest):
        place.api.update_repository(repository=sent, update_mask=FieldMask(paths=["no_such_field"]))


def test_a_permission_that_is_missing_is_named(place: Place) -> None:
    place.identity.deny(WHO, "artifactregistry.repositories.create", place.project)

    with pytest.raises(exceptions.Forbidden) as refused:
        place.create()
    assert refused.value.reason == "IAM_PERMISSION_DENIED"
    assert (refused.value.metadata or {})["permission"] == "artifactregistry.repositories.create"


def test_what_is_pushed_is_listed_and_pulled(place: Place) -> None:
    place.create().result()

    assert place.push("v1", "one", image="team/iris").status_code == 201

    [image] = place.api.list_docker_images(parent=place.name)
    assert list(image.tags) == ["v1"]
    assert place.api.get_docker_image(name=image.name) == image
    pulled = place.web.get(
        f"https://{HOST}/v2/{place.project}/models/team/iris/manifests/v1",
        headers={**place.bearer(), "Accept": MANIFEST},
    )
    assert image.uri == f"{HOST}/{place.project}/models/team/iris@{digest(pulled.content)}"


def test_an_immutable_tag_stays(place: Place) -> None:
    place.create(docker_config={"immutable_tags": True}).result()
    assert place.push("v1", "one").status_code == 201

    assert place.push("v1", "one").status_code == 201
    status, code, words = error_of(place.push("v1", "two"))
    assert (status, code) == (400, "MANIFEST_INVALID")
    assert words == "cannot update tag v1. The repository has enabled tag immutability"
    with pytest.raises(exceptions.BadRequest, match="immutability"):
        place.api.delete_tag(name=f"{place.name}/packages/iris/tags/v1")


def test_a_tag_moves_where_tags_may_and_what_it_left_can_be_deleted(place: Place) -> None:
    place.create().result()
    for content in ("one", "two"):
        assert place.push("v1", content).status_code == 201
    images = {tuple(image.tags): image for image in place.api.list_docker_images(parent=place.name)}
    assert set(images) == {(), ("v1",)}

    def delete(image: Any) -> None:
        version = image.name.partition("@")[2]
        place.api.delete_version(name=f"{place.name}/packages/iris/versions/{version}").result()

    with pytest.raises(exceptions.BadRequest, match="it has tags: v1"):
        delete(images["v1",])
    delete(images[()])
    assert [tuple(image.tags) for image in place.api.list_docker_images(parent=place.name)] == [("v1",)]
    place.api.delete_package(name=f"{place.name}/packages/iris").result()
    assert not list(place.api.list_docker_images(parent=place.name))


def test_what_was_deleted_is_gone_even_in_a_repository_of_the_same_name(place: Place) -> None:
    def found(reference: str) -> httpx.Response:
        url = f"https://{HOST}/v2/{place.project}/models/iris/manifests/{reference}"
        return place.web.get(url, headers={**place.bearer(), "Accept": MANIFEST})

    place.create().result()
    for tag in ("v1", "v2"):
        assert place.push(tag, "one").status_code == 201
    pushed = digest(found("v1").content)

    place.api.delete_tag(name=f"{place.name}/packages/iris/tags/v1")
    assert error_of(found("v1"))[:2] == (404, "MANIFEST_UNKNOWN")
    assert found("v2").status_code == found(pushed).status_code == 200

    place.api.delete_repository(name=place.name).result()
    place.create().result()
    assert found("v2").status_code == found(pushed).status_code == 404
    assert place.push("v2", "one").status_code == 201
    assert digest(found("v2").content) == pushed


def test_a_registry_refuses_in_its_own_words(place: Place) -> None:
    resource = f"projects/{place.project}/locations/europe-west1/repositories/models"
    upload = "artifactregistry.repositories.uploadArtifacts"
    assert error_of(place.push("v1", "one")) == (404, "NAME_UNKNOWN", 'Repository "models" not found')

    place.create().result()
    place.identity.deny(WHO, upload, place.project)
    denied = f'Permission "{upload}" denied on resource "{resource}" (or it may not exist)'
    assert error_of(place.push("v1", "one")) == (403, "DENIED", denied)

    unknown = place.web.get(f"https://{HOST}/v2/{place.project}/models/iris/manifests/v1")
    assert unknown.status_code == 401
    assert f'Bearer realm="https://{HOST}/v2/token",service="{HOST}",scope=' in unknown.headers["www-authenticate"]
    short = place.web.get(f"https://{HOST}/v2/{place.project}/models/manifests/v1", headers=place.bearer())
    assert error_of(short)[:2] == (400, "NAME_INVALID")


def test_its_token_service_knows_tokens_and_keys_and_nobody_else(place: Place, tmp_path: Path) -> None:
    place.create().result()
    scope = {"service": HOST, "scope": f"repository:{place.project}/models/iris:pull,push"}
    key = place.identity.key_file(tmp_path / "key.json").read_text()

    def ask(auth: tuple[str, str] | None) -> httpx.Response:
        return place.web.get(f"https://{HOST}/v2/token", params=scope, auth=auth)

    for user, password in [
        ("oauth2accesstoken", place.identity.access_token(WHO)),
        ("_json_key", key),
        ("_json_key_base64", base64.b64encode(key.encode()).decode()),
    ]:
        token = ask((user, password)).json()["token"]
        assert place.web.get(f"https://{HOST}/v2/", headers={"Authorization": f"Bearer {token}"}).status_code == 200
    assert error_of(ask(("oauth2accesstoken", "ya29.wrong")))[:2] == (401, "UNAUTHORIZED")
    assert error_of(ask(("_json_key", json.dumps({**json.loads(key), "private_key_id": "other"}))))[0] == 401
    assert error_of(ask(None))[2].startswith("Unauthenticated request. Unauthenticated requests do not have permission")


def test_a_blob_is_mounted_only_from_where_one_may_read(place: Place) -> None:
    place.create().result()
    assert place.push("v1", "shared").status_code == 201
    blob = digest(json.dumps({"content": "shared"}).encode())
    url = f"https://{HOST}/v2/{place.project}/models/rose/blobs/uploads/"
    mount = {"mount": blob, "from": f"{place.project}/models/iris"}

    assert place.web.post(url, params=mount, headers=place.bearer()).status_code == 201
    elsewhere = {**mount, "from": f"{place.project}/nowhere/iris"}
    assert place.web.post(url, params=elsewhere, headers=place.bearer()).status_code == 202


def test_lines_in_hosts_are_marked_replaced_and_taken_out(tmp_path: Path) -> None:
    file = tmp_path / "hosts"
    file.write_text("127.0.0.1 localhost\n# a comment")

    hosts.put("127.44.3.1", ["a.example", "b.example"], file)
    hosts.put("127.44.3.1", ["b.example"], file)
    assert hosts.are_there("127.44.3.1", ["b.example"], file)
    assert file.read_text().count("b.example") == 1
    assert hosts.remove(file)
    assert file.read_text() == "127.0.0.1 localhost\n# a comment\n"
    assert not hosts.remove(file)
