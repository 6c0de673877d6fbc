"""The identity services, asked by Google's own client library."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.auth import exceptions
from google.auth.transport.requests import Request
from google.oauth2 import service_account

from tests.rig.google.http import HttpRequest
from tests.rig.google.identity import ACCOUNT, Identity
from tests.rig.google.identity_grants import POOL
from tests.rig.google.identity_metadata import ACCOUNT as MACHINE
from tests.rig.google.identity_server import serving

pytestmark = pytest.mark.integration

SCOPES = ["https://www.googleapis.com/auth/cloud-platform"]
SERVICE = "https://iris-abc-uc.a.run.app"
ANSWERS = (
    "import google.auth, google.auth.transport.requests as t;"
    f"c, p = google.auth.default(scopes={SCOPES!r}); c.refresh(t.Request()); print(c.token)"
)


@pytest.fixture
def identity(tmp_path: Path) -> Identity:
    return Identity(tmp_path / "identity")


@pytest.fixture
def base_url(identity: Identity, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serving(identity) as url:
        yield url


@pytest.fixture
def key(identity: Identity, base_url: str, tmp_path: Path) -> Path:
    return identity.key_file(tmp_path / "key.json", base_url=base_url)


def credentials(key: Path) -> Any:
    return service_account.Credentials.from_service_account_file(str(key), scopes=SCOPES)  # type: ignore[no-untyped-call]


def token_of(found: Any) -> str:
    found.refresh(Request())
    return str(found.token)


def asked_elsewhere(folder: Path, **env: str) -> str:
    """The token that a fresh process finds: google-auth reads its environment when it is imported."""
    gone = ("GOOGLE_APPLICATION_CREDENTIALS", "GCE_METADATA_HOST", "NO_GCE_CHECK")
    clean = {name: value for name, value in os.environ.items() if name not in gone}
    whole = {**clean, "CLOUDSDK_CONFIG": str(folder), "NO_PROXY": "127.0.0.1", **env}
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", ANSWERS], env=whole, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_key_gives_a_token_that_speaks_for_its_account(identity: Identity, key: Path) -> None:
    assert identity.principal(token_of(credentials(key))) == ACCOUNT


def test_a_key_that_somebody_made_up_does_not(identity: Identity, key: Path, tmp_path: Path, base_url: str) -> None:
    theirs = json.loads(Identity(tmp_path / "others").key_file(tmp_path / "theirs.json").read_text())
    ours = json.loads(key.read_text())
    key.write_text(json.dumps({**ours, "private_key": theirs["private_key"]}))

    with pytest.raises(exceptions.RefreshError, match="Invalid JWT Signature"):
        token_of(credentials(key))


def test_an_assertion_for_somebody_else_is_refused(key: Path) -> None:
    found = credentials(key).with_claims({"aud": "https://somebody.else/token"})

    with pytest.raises(exceptions.RefreshError, match="wrong aud"):
        token_of(found)


def test_tokens_end_by_time_and_by_hand(identity: Identity) -> None:
    identity.set_lifetime(ACCOUNT, 0)
    assert identity.principal(identity.access_token()) is None

    identity.set_lifetime(ACCOUNT, 60)
    token, other = identity.access_token(), identity.access_token("ann@example.com")
    assert identity.principal(token) == ACCOUNT
    identity.revoke(ACCOUNT)
    assert identity.principal(token) is None
    assert identity.principal(other) == "ann@example.com"
    assert identity.principal(identity.access_token()) == ACCOUNT


@pytest.mark.parametrize("forged", ["", "ya29.c.e30.0", "ya29.a-real-looking-one", "a.b.c"])
def test_a_forged_token_speaks_for_nobody(identity: Identity, forged: str) -> None:
    assert identity.principal(forged) is None


def test_a_token_with_another_name_in_it_speaks_for_nobody(identity: Identity) -> None:
    token = identity.access_token()

    assert identity.principal(token.replace(token[10:14], "AAAA")) is None


def test_an_identity_token_is_good_for_its_audience_only(identity: Identity, key: Path) -> None:
    found = service_account.IDTokenCredentials.from_service_account_file(str(key), target_audience=SERVICE)  # type: ignore[no-untyped-call]
    token = token_of(found)

    assert identity.verify_id_token(token, SERVICE) == ACCOUNT
    assert identity.verify_id_token(token, f"{SERVICE}/") is None
    assert identity.verify_id_token(identity.access_token(), SERVICE) is None


def test_a_jwt_that_a_client_signs_itself_is_accepted(identity: Identity, key: Path) -> None:
    found = credentials(key).with_scopes(None)
    found._create_self_signed_jwt("https://run.googleapis.com/")
    found._jwt_credentials.refresh(None)
    token = found._jwt_credentials.token.decode()

    assert identity.principal(token) == ACCOUNT
    identity.state.delete_key(json.loads(key.read_text())["private_key_id"])
    assert identity.principal(token) is None


def test_a_job_of_a_ci_becomes_the_account(identity: Identity, base_url: str, tmp_path: Path) -> None:
    file = identity.federation_file(tmp_path / "federation.json", base_url)

    token = asked_elsewhere(tmp_path, GOOGLE_APPLICATION_CREDENTIALS=str(file), GOOGLE_CLOUD_PROJECT="shop")

    assert identity.principal(token) == ACCOUNT


@pytest.mark.parametrize(
    ("signer", "audience"), [("others", f"https:{POOL}"), ("ours", "https://somebody.else"), ("ours", "")]
)
def test_a_subject_token_of_another_provider_or_for_somebody_else_is_refused(
    signer: str, audience: str, identity: Identity, base_url: str, tmp_path: Path
) -> None:
    provider = identity if signer == "ours" else Identity(tmp_path / "others")
    subject = provider.tokens.subject_token("repo:a/b", audience, "https://token.actions.githubusercontent.com")
    content = json.loads(identity.federation_file(tmp_path / "federation.json", base_url).read_text())
    (tmp_path / "subject").write_text(subject)
    content["credential_source"] = {"file": str(tmp_path / "subject")}

    from google.auth import identity_pool

    found = identity_pool.Credentials.from_info(content, scopes=SCOPES)  # type: ignore[no-untyped-call]
    with pytest.raises(exceptions.OAuthError, match="rejected"):
        token_of(found)


def test_an_account_that_may_not_be_impersonated(identity: Identity, base_url: str, tmp_path: Path) -> None:
    from tests.rig.google.identity import SUBJECT
    from tests.rig.google.identity_grants import federated

    identity.deny(federated(SUBJECT), "iam.serviceAccounts.getAccessToken", "rig-project")
    file = identity.federation_file(tmp_path / "federation.json", base_url)

    from google.auth import identity_pool

    found = identity_pool.Credentials.from_info(json.loads(file.read_text()), scopes=SCOPES)  # type: ignore[no-untyped-call]
    with pytest.raises(exceptions.RefreshError, match=r"iam\.serviceAccounts\.getAccessToken"):
        token_of(found)


def test_a_machine_finds_its_own_account(identity: Identity, base_url: str, tmp_path: Path) -> None:
    host = base_url.removeprefix("http://")

    token = asked_elsewhere(tmp_path, GCE_METADATA_HOST=host, GCE_METADATA_IP=host)

    assert identity.principal(token) == MACHINE


def test_a_machine_has_identity_tokens_too(identity: Identity) -> None:
    path = "/computeMetadata/v1/instance/service-accounts/default/identity"
    said = identity.answer(HttpRequest("GET", f"{path}?audience={SERVICE}", {"metadata-flavor": "Google"}))
    unflavoured = identity.answer(HttpRequest("GET", f"{path}?audience={SERVICE}"))

    assert said is not None
    assert identity.verify_id_token(said.body.decode(), SERVICE) == MACHINE
    assert unflavoured is not None
    assert unflavoured.status == 403


def test_what_is_denied_in_one_process_is_denied_in_another(identity: Identity) -> None:
    other = Identity(identity.state.folder)
    assert other.principal(identity.access_token()) == ACCOUNT

    identity.deny(ACCOUNT, "run.services.update", "shop")
    assert not other.allowed(ACCOUNT, "run.services.update", "shop")
    assert other.allowed(ACCOUNT, "run.services.update", "another")
    other.allow(ACCOUNT, "run.services.update", "shop")
    assert identity.allowed(ACCOUNT, "run.services.update", "shop")
