"""Who may ask the service, who may release it, and which values it reads: identities, credentials and secrets."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.e2e.cloud.conftest import Cloud
from tests.e2e.projects import QUICK, write_service
from tests.rig.google.artifacts.names import BASE_URL

pytestmark = pytest.mark.e2e


def access(how: str) -> dict[str, object]:
    return {"targets": {"cloudrun": {"access": how}}}


def test_a_service_for_those_who_may_is_asked_with_an_identity_token(cloud: Cloud, tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    write_service(folder, version="1", settings=cloud.settings(**QUICK, **access("authenticated")))
    ended = cloud.release(folder)
    assert ended.code == 0, ended
    assert ended.finished["serves"]["proof"] == "answer"
    assert cloud.ask().status == 403
    write_service(folder, version="2", settings=cloud.settings(**QUICK, **access("authenticated")))
    assert cloud.release(folder).code == 0
    back = cloud.from_nowhere("rollback")
    assert (back.code, back.finished["serves"]["proof"]) == (0, "answer"), back


def test_a_service_inside_a_network_is_proved_by_its_routes_and_the_run_says_so(cloud: Cloud, tmp_path: Path) -> None:
    write_service(tmp_path / "shop", settings=cloud.settings(**QUICK, **access("internal")))
    ended = cloud.release(tmp_path / "shop")
    assert ended.code == 0, ended
    assert ended.finished["serves"]["proof"] == "routing"
    said = " ".join(event["text"] for event in ended.events if event["event"] == "remark")
    assert "the address cannot be asked from here" in said
    assert cloud.ask().status == 404


def test_a_ci_with_federation_and_no_key_releases(cloud: Cloud, tmp_path: Path) -> None:
    """As google-github-actions/auth sets it up: an OIDC token of the job is exchanged for the account's."""
    from tests.rig.google.identity import Identity

    identity = Identity(cloud.rig.google.folder / "identity")
    account = f"ci@{cloud.project}.iam.gserviceaccount.com"
    federated = identity.federation_file(tmp_path / "federation.json", BASE_URL, account, public=True)
    machine = replace(cloud, key=federated)
    write_service(tmp_path / "shop", version="1", settings=machine.settings(**QUICK))
    ended = machine.release(tmp_path / "shop")
    assert ended.code == 0, ended
    assert machine.ask().json["version"] == "1"


def test_secrets_are_the_platforms_own_and_a_rollback_brings_the_version_of_then(cloud: Cloud, tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    run = {"secrets": {"TOKEN": "secret-manager:token"}, "secrets_as": "files"}
    cloud.hands.add_secret(cloud.project, "token", b"short")
    write_service(folder, version="1", settings=cloud.settings(**QUICK, run=run))
    assert cloud.release(folder).code == 0
    assert cloud.ask("/secret?name=TOKEN").json == {"length": len("short")}
    cloud.hands.add_secret(cloud.project, "token", b"much-longer")
    same = cloud.release(folder)
    assert same.code == 0, same
    assert same.finished["serves"]["number"] == 2, "another version of a secret is another release"
    assert cloud.ask("/secret?name=TOKEN").json == {"length": len("much-longer")}
    back = cloud.from_nowhere("rollback")
    assert back.code == 0, back
    assert cloud.ask("/secret?name=TOKEN").json == {"length": len("short")}


def test_the_candidate_reads_the_platforms_secret_too(cloud: Cloud, tmp_path: Path) -> None:
    run = {"secrets": {"TOKEN": "secret-manager:token@1"}}
    cloud.hands.add_secret(cloud.project, "token", b"short")
    write_service(tmp_path / "shop", settings=cloud.settings(scan={"enabled": False}, run=run))
    cloud.hands.deny(cloud.project, "secretmanager.versions.access")
    refused = cloud.release(tmp_path / "shop")
    assert refused.code == 32, refused
    assert "secretmanager.versions.access" in refused.said
    assert '[smoke.secrets] TOKEN = "env:TOKEN"' in refused.said
    cloud.hands.allow(cloud.project, "secretmanager.versions.access")
    assert cloud.release(tmp_path / "shop").code == 0


def test_a_model_in_a_bucket_is_mounted_and_a_directory_stands_in_for_it_in_the_smoke_test(
    cloud: Cloud, tmp_path: Path
) -> None:
    bucket = f"models-{cloud.project}"
    Path(cloud.hands.bucket(bucket), "answer").write_text("from the bucket")
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "answer").write_text("a stand-in")
    run = {"volumes": [{"source": f"gs://{bucket}", "target": "/models"}]}
    smoke = {"volumes": [{"source": str(tmp_path / "model"), "target": "/models"}]}
    without = cloud.settings(scan={"enabled": False}, run=run)
    write_service(tmp_path / "shop", settings=without)
    refused = cloud.release(tmp_path / "shop")
    assert refused.code == 2, refused
    assert "[[smoke.volumes]]" in refused.said
    project = write_service(tmp_path / "shop", settings=cloud.settings(scan={"enabled": False}, run=run, smoke=smoke))
    ended = cloud.release(project.folder)
    assert ended.code == 0, ended
    mounts = cloud.service["template"]["containers"][0]["volumeMounts"]
    assert [mount["mountPath"] for mount in mounts] == ["/models"]
