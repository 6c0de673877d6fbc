"""The APIs beside Cloud Run: secrets, logs, identity; and real credentials on a channel without TLS."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest

from shipper.errors import Denied, NotFound
from shipper.targets import Authorizes, Collects, Diagnoses, PinsSecrets, Probes, SplitsTraffic, StreamsLogs
from shipper_targets.cloudrun.adapter import ReachableTarget
from tests.integration.cloudrun.conftest import Place, over_both
from tests.rig.google.handle import GoogleRig

pytestmark = pytest.mark.integration


def reachable(place: Place) -> ReachableTarget:
    """One that is asked over the internet."""
    target = place.target()
    assert isinstance(target, ReachableTarget)
    return target


def secret(place: Place, name: str, *values: bytes) -> None:
    for value in values:
        GoogleRig(place.google.url).add_secret(place.project, name, value)


def test_it_has_the_powers_that_it_says(place: Place) -> None:
    target = place.target()
    for power in (SplitsTraffic, Probes, StreamsLogs, Diagnoses, Collects, PinsSecrets, Authorizes):
        assert isinstance(target, power), power.__name__


def test_a_reference_is_pinned_to_a_version(place: Place) -> None:
    secret(place, "token", b"one", b"two")
    target, base = place.target(), f"projects/{place.project}/secrets/token/versions"
    references = {"A": "secret-manager:token", "B": "secret-manager:token@1", "C": "secret-manager:token@latest"}
    assert target.secret_versions(references) == {"A": f"{base}/2", "B": f"{base}/1", "C": f"{base}/2"}
    assert target.secret_value("secret-manager:token") == b"two"
    assert target.secret_value("secret-manager:token@1") == b"one"


def test_a_disabled_version_is_not_there(place: Place) -> None:
    secret(place, "token", b"one")
    GoogleRig(place.google.url).set_secret(place.project, "token", "1", "disable")
    with pytest.raises(NotFound, match="version 1 of the secret token is disabled"):
        place.target().secret_versions({"A": "secret-manager:token@1"})
    with pytest.raises(NotFound, match="nothing"):
        place.target().secret_versions({"A": "secret-manager:nothing"})


def test_a_rollback_has_the_versions_of_then(place: Place) -> None:
    """Rendered from the release, whatever the reference means by now."""
    secret(place, "token", b"one")
    run: dict[str, Any] = {"secrets": {"TOKEN": "secret-manager:token"}, "secrets_as": "environment"}
    pinned = dict(place.target().secret_versions(run["secrets"]))
    place.created(place.release(1, secrets=pinned, run=run))
    secret(place, "token", b"two")
    again = place.created(place.release(2, secrets=pinned, run=run))
    revision = place.google.state.get_revision(f"{place.resource}/revisions/{again.name}")
    (variable,) = revision.containers[0].env
    assert variable.value_source.secret_key_ref.version == "1"


@pytest.mark.parametrize(("verb", "word"), [("disable", "disabled"), ("destroy", "destroyed")])
def test_what_is_gone_of_a_release_is_named(place: Place, verb: str, word: str) -> None:
    secret(place, "token", b"one")
    pinned = dict(place.target().secret_versions({"TOKEN": "secret-manager:token"}))
    GoogleRig(place.google.url).set_secret(place.project, "token", "1", verb)
    problems = place.target().restorable(place.release(9, secrets=pinned)).problems
    assert any(word in problem and "--secrets current" in problem for problem in problems)


def test_what_may_not_be_asked_is_a_remark(place: Place) -> None:
    secret(place, "token", b"one")
    pinned = dict(place.target().secret_versions({"TOKEN": "secret-manager:token"}))
    place.google.hands.deny(place.project, "secretmanager.versions.get")
    problems = place.target().restorable(place.release(9, secrets=pinned)).problems
    assert not [problem for problem in problems if "TOKEN" in problem]
    assert any("TOKEN" in remark and "cannot be told" in remark for remark in place.told.remarks)
    with pytest.raises(Denied, match=r"secretmanager\.versions\.get"):
        place.target().secret_versions({"TOKEN": "secret-manager:token"})


def test_the_last_lines_of_a_revision(place: Place) -> None:
    place.released(1)
    bad = place.create(place.release(2, "crash"))
    place.last_step(bad)
    assert list(place.target().logs(bad)) == ["model.bin: no such file"]
    following = place.target().logs(bad, follow=True)
    assert list(itertools.islice(following, 1)) == ["model.bin: no such file"]


def test_without_credentials_nobody_is_let_in(place: Place) -> None:
    place.created(place.release(1))
    assert reachable(place).authorization() == {}


@over_both
def test_a_service_accounts_key_works_without_tls(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """gRPC gives no credentials away on a plain channel: the token goes along all the same."""
    identity: Any = place.google.identity
    account = f"deployer@{place.project}.iam.gserviceaccount.com"
    key = identity.key_file(tmp_path / "key.json", account, place.google.url)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(key))
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", place.project)
    place.own = {"credentials": "default"}
    place.created(place.release(1))
    assert {write["principal"] for write in place.writes()} == {account}
    headers = reachable(place).authorization()
    token = headers["X-Serverless-Authorization"].removeprefix("Bearer ")
    assert identity.verify_id_token(token, place.service().uri) == account
    identity.deny(account, "run.services.get", place.project)
    with pytest.raises(Denied, match=r"run\.services\.get"):
        place.target().observe()


@over_both
def test_federated_credentials_get_in_too(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    identity: Any = place.google.identity
    account = f"ci@{place.project}.iam.gserviceaccount.com"
    file = identity.federation_file(tmp_path / "federation.json", place.google.url, account)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", place.project)
    place.own = {"credentials": "default"}
    place.created(place.release(1))
    token = reachable(place).authorization()["X-Serverless-Authorization"].removeprefix("Bearer ")
    assert identity.verify_id_token(token, place.service().uri) == account


@over_both
def test_no_credentials_at_all_is_said_as_such(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "nothing.json"))
    place.own = {"credentials": "default"}
    with pytest.raises(Denied, match="credentials"):
        place.target().observe()
