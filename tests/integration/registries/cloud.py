"""A project of Google Cloud for one test: its registry answers under its real name, and only the environment says who
asks."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shipper.registries.artifact_messages import wanted_repository
from tests.conftest import needed
from tests.rig.api import ensure
from tests.rig.google.artifacts import names
from tests.rig.google.identity import Identity

HOST = "us-central1-docker.pkg.dev"
UPLOAD = "artifactregistry.repositories.uploadArtifacts"
CREATE = "artifactregistry.repositories.create"


class Cloud:
    """A project that no other test uses, a service account in it, and an administrator's hands."""

    def __init__(self, folder: Path, identity: Identity, monkeypatch: pytest.MonkeyPatch) -> None:
        self.name = f"shop-{uuid.uuid4().hex[:12]}"
        self.project = self.name
        self.account = f"shipper@{self.project}.iam.gserviceaccount.com"
        self.identity = identity
        self.folder = folder
        self._monkeypatch = monkeypatch

    @property
    def repository(self) -> str:
        """The name that is pushed to."""
        return f"{HOST}/{self.project.replace(':', '/')}/models/iris"

    @property
    def parent(self) -> str:
        return f"projects/{self.project}/locations/us-central1"

    def with_key(self, base_url: str = "https://oauth2.googleapis.com") -> Path:
        """From now on the environment names a key of the service account."""
        return self.credentials(self.identity.key_file(self.folder / "key.json", self.account, base_url))

    def with_federation(self) -> Path:
        """From now on this is a job of a CI."""
        return self.credentials(
            self.identity.federation_file(self.folder / "federation.json", names.BASE_URL, self.account, public=True)
        )

    def with_user(self) -> Path:
        """From now on somebody is logged in with gcloud: no variable is set."""
        folder = self.folder / "gcloud"
        folder.mkdir()
        return self.identity.user_file(folder / "application_default_credentials.json", f"ann@{self.project}")

    def on_a_machine(self) -> None:
        """From now on this is a virtual machine of Google's."""
        self._monkeypatch.delenv("NO_GCE_CHECK")
        self._monkeypatch.setenv("GCE_METADATA_HOST", names.ADDRESS)
        self._monkeypatch.setenv("GCE_METADATA_IP", names.ADDRESS)
        # google-auth reads these when it is imported, and another test may have done that.
        self._monkeypatch.setattr("google.auth.compute_engine._metadata._GCE_METADATA_HOST", names.ADDRESS)
        self._monkeypatch.setattr("google.auth.compute_engine._metadata._NO_GCE_CHECK", False)

    def credentials(self, file: Path) -> Path:
        self._monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
        return file

    def api(self) -> Any:
        """The administrator's client."""
        from google.cloud import artifactregistry_v1 as ar
        from google.oauth2.credentials import Credentials

        admin = Credentials(self.identity.access_token("admin@example.com"))  # type: ignore[no-untyped-call]
        return ar.ArtifactRegistryClient(credentials=admin, transport="rest")

    def has_repository(self, **fields: Any) -> Any:
        """Make the repository by hand, as we would make it but for these fields."""
        wanted = wanted_repository(5)
        for name, value in fields.items():
            setattr(wanted, name, value)
        request = {"parent": self.parent, "repository_id": "models", "repository": wanted}
        return self.api().create_repository(request).result()

    def repositories(self) -> list[Any]:
        return list(self.api().list_repositories(parent=self.parent))

    def images(self) -> list[Any]:
        return list(self.api().list_docker_images(parent=f"{self.parent}/repositories/models"))


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """Nobody is logged in, with Docker or with Google, until the test says so."""
    google = needed(lambda: ensure(["artifacts"])).google
    for name, value in google.env.items():
        monkeypatch.setenv(name, value)
    for name in ("GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CLOUD_PROJECT", "GCLOUD_PROJECT", "GCE_METADATA_HOST"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path / "gcloud"))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    made = Cloud(tmp_path, Identity(google.folder / "identity"), monkeypatch)
    yield made
    for repository in made.repositories():
        made.api().delete_repository(name=repository.name).result()
