"""Publishing to Artifact Registry as everybody that Google knows, and as those that it does not."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator, Mapping

import pytest

from shipper.errors import CredentialsError, UnreachableError
from shipper.images.engine import DockerEngine
from shipper.images.local import drop
from shipper.model import Image
from shipper.registries.oci import OciRegistry
from tests.integration.images.conftest import Project, Switch, Told
from tests.integration.registries.cloud import HOST, Cloud
from tests.integration.registries.conftest import free_port

pytestmark = pytest.mark.integration

Publish = Callable[[], str]


@pytest.fixture
def publish(
    project: Callable[[Mapping[str, str]], Project], engine: DockerEngine, cloud: Cloud, told: Told, switch: Switch
) -> Iterator[Publish]:
    """Publish an image of the test's own and prove it; gives the manifest's digest."""
    image: Image = project({"Dockerfile": "FROM scratch\nCOPY who /who\n", "who": cloud.project}).build()
    registry = OciRegistry(engine.docker_host)

    def published() -> str:
        reference = registry.publish(image, cloud.repository, "cfg-1", told, switch)
        assert registry.prove(image, cloud.repository, reference.manifest_digest or "") == reference
        return reference.manifest_digest or ""

    yield published
    drop(engine.client, f"{cloud.repository}:cfg-1")


def there(cloud: Cloud) -> list[str]:
    return [image.uri for image in cloud.images()]


def test_as_a_service_account_with_its_key(cloud: Cloud, publish: Publish) -> None:
    cloud.has_repository()
    cloud.with_key()

    assert f"{cloud.repository}@{publish()}" in there(cloud)


def test_as_a_job_of_a_ci_without_asking_which_project_it_is(
    cloud: Cloud, publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud.has_repository()
    cloud.with_federation()
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{free_port()}")  # whoever asks further ends here

    assert f"{cloud.repository}@{publish()}" in there(cloud)


def test_as_a_machine_in_google_cloud(cloud: Cloud, publish: Publish) -> None:
    cloud.has_repository()
    cloud.on_a_machine()

    assert f"{cloud.repository}@{publish()}" in there(cloud)


@pytest.mark.filterwarnings("error::UserWarning")  # people are not told about service accounts
def test_as_a_person_who_logged_in_with_gcloud(cloud: Cloud, publish: Publish) -> None:
    cloud.has_repository()
    cloud.with_user()

    assert f"{cloud.repository}@{publish()}" in there(cloud)


def test_docker_s_own_credentials_come_first(cloud: Cloud, publish: Publish) -> None:
    cloud.has_repository()
    token = cloud.identity.access_token(cloud.account)
    auth = base64.b64encode(f"oauth2accesstoken:{token}".encode()).decode()
    (cloud.folder / "docker").mkdir(exist_ok=True)
    (cloud.folder / "docker" / "config.json").write_text(json.dumps({"auths": {HOST: {"auth": auth}}}))
    cloud.credentials(cloud.folder / "not-there.json")

    assert f"{cloud.repository}@{publish()}" in there(cloud)


def test_somebody_who_logged_out_is_told_to_log_in(cloud: Cloud, publish: Publish) -> None:
    cloud.has_repository()
    cloud.identity.log_out(cloud.with_user())

    with pytest.raises(CredentialsError, match="Token has been expired or revoked") as refused:
        publish()
    assert refused.value.code == 32
    assert "gcloud auth application-default login" in refused.value.hint


def test_a_key_that_was_deleted_is_refused(cloud: Cloud, publish: Publish) -> None:
    cloud.has_repository()
    key = json.loads(cloud.with_key().read_text())
    cloud.identity.state.delete_key(key["private_key_id"])

    with pytest.raises(CredentialsError, match="Invalid JWT Signature") as refused:
        publish()
    assert refused.value.code == 32


def test_a_job_of_another_ci_is_refused(cloud: Cloud, publish: Publish) -> None:
    cloud.has_repository()
    file = cloud.with_federation()
    (cloud.folder / "subject").write_text("eyJhbGciOiJub25lIn0.e30.")
    content = json.loads(file.read_text())
    file.write_text(json.dumps({**content, "credential_source": {"file": str(cloud.folder / "subject")}}))

    with pytest.raises(
        CredentialsError, match="Google gives no token for these credentials: Error code invalid_grant"
    ) as refused:
        publish()
    assert refused.value.code == 32


def test_a_file_that_is_not_there_is_named(cloud: Cloud, publish: Publish) -> None:
    cloud.has_repository()
    file = cloud.credentials(cloud.folder / "not-there.json")

    with pytest.raises(CredentialsError, match=f"File {file} was not found"):
        publish()


def test_without_any_credentials_it_says_what_was_looked_for(cloud: Cloud, publish: Publish) -> None:
    cloud.has_repository()

    with pytest.raises(CredentialsError, match="there are no Google credentials here") as refused:
        publish()
    assert refused.value.code == 32
    assert [line.split()[0] for line in refused.value.details] == ["GOOGLE_APPLICATION_CREDENTIALS:", "gcloud's", "the"]
    assert "gcloud auth application-default login" in refused.value.hint


def test_a_token_endpoint_that_does_not_answer_is_unreachable(cloud: Cloud, publish: Publish) -> None:
    cloud.has_repository()
    cloud.with_key(base_url=f"http://127.0.0.1:{free_port()}")

    with pytest.raises(UnreachableError, match="Google's token endpoint does not answer") as refused:
        publish()
    assert refused.value.code == 33


def test_a_token_that_ended_meanwhile_is_had_anew_for_the_proof(cloud: Cloud, publish: Publish, told: Told) -> None:
    cloud.has_repository()
    cloud.with_key()

    def grow_old(step: str) -> None:
        if step.startswith("proving"):
            cloud.identity.revoke(cloud.account)

    told.when = grow_old

    assert f"{cloud.repository}@{publish()}" in there(cloud)
