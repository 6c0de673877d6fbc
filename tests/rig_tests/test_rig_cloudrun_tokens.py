"""Where a project needs tokens, nobody gets in without one: on every API, over gRPC and REST."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from google.api_core.exceptions import GoogleAPICallError
from google.auth import crypt, jwt
from google.cloud import run_v2
from google.oauth2.credentials import Credentials

from tests.rig.google.clients import Calls, to
from tests.rig.google.cloudrun.defaults import project_number
from tests.rig.google.handle import OPERATOR, GoogleRig
from tests.rig.google.server import Google

pytestmark = pytest.mark.unit

CI = "ci@demo.iam.gserviceaccount.com"
SERVICES = "/v2/projects/demo/locations/us-central1/services"
ENTRIES = {
    "resourceNames": ["projects/demo"],
    "filter": 'resource.type="cloud_run_revision" resource.labels.revision_name="web-1"'.replace(" ", "\n"),
}
EVERY_API: list[tuple[str, str, Any, str]] = [
    ("GET", SERVICES, None, "run.googleapis.com"),
    ("GET", f"{SERVICES}/web/revisions", None, "run.googleapis.com"),
    ("GET", "/v2/projects/demo/locations/us-central1/operations", None, "run.googleapis.com"),
    ("GET", "/apis/serving.knative.dev/v1/namespaces/demo/services", None, "run.googleapis.com"),
    ("GET", "/v1/projects/demo/locations/-/services", None, "run.googleapis.com"),
    ("GET", "/v1/projects/demo/secrets", None, "secretmanager.googleapis.com"),
    ("GET", f"/v1/projects/{project_number('demo')}/secrets", None, "secretmanager.googleapis.com"),
    ("GET", "/v1/projects/demo/secrets/token/versions/1:access", None, "secretmanager.googleapis.com"),
    ("POST", "/v1/projects/demo:testIamPermissions", {"permissions": []}, "cloudresourcemanager.googleapis.com"),
    ("GET", "/v3/projects/demo", None, "cloudresourcemanager.googleapis.com"),
    ("POST", f"/v1/projects/-/serviceAccounts/{CI}:testIamPermissions", {"permissions": []}, "iam.googleapis.com"),
    ("POST", "/v2/entries:list", ENTRIES, "logging.googleapis.com"),
    ("GET", "/v1/projects/demo/locations/us-central1/repositories", None, "artifactregistry.googleapis.com"),
]


@pytest.fixture
def rig(google: Google) -> Iterator[GoogleRig]:
    """A project with a service and a secret, which needs tokens."""
    made = GoogleRig(google.url)
    Calls(google.url, "grpc").create("shop", "web-1", [to("web-1", 100)])
    made.add_secret("demo", "token", b"one")
    made.need_tokens("demo")
    yield made
    made.wipe("demo")


def ask(google: Google, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, dict[str, Any]]:
    return GoogleRig(google.url).ask(method, path, body, headers=headers, timeout=10)


def reason(told: Mapping[str, Any]) -> str:
    return str(told["error"]["details"][0]["reason"])


@pytest.mark.parametrize(("method", "path", "body", "service"), EVERY_API)
def test_without_a_token_every_api_says_401_and_what_is_missing(
    google: Google, rig: GoogleRig, method: str, path: str, body: Any, service: str
) -> None:
    status, told = ask(google, method, path, body)
    assert (status, told["error"]["code"], told["error"]["status"]) == (401, 401, "UNAUTHENTICATED")
    assert told["error"]["message"].startswith(
        "Request is missing required authentication credential. Expected OAuth 2"
    )
    info = told["error"]["details"][0]
    assert (info["reason"], info["domain"]) == ("CREDENTIALS_MISSING", "googleapis.com")
    assert info["metadata"]["service"] == service


@pytest.mark.parametrize(("method", "path", "body", "service"), EVERY_API[:-1])
def test_with_a_token_all_of_them_answer(
    google: Google, rig: GoogleRig, method: str, path: str, body: Any, service: str
) -> None:
    status, told = ask(google, method, path, body, Authorization=f"Bearer {google.identity.access_token(CI)}")
    assert status == 200, told


def test_grpc_says_it_with_the_same_details(google: Google, rig: GoogleRig) -> None:
    run = Calls(google.url, "grpc")
    with pytest.raises(GoogleAPICallError, match="missing required authentication credential") as refused:
        run.get()
    assert refused.value.code == 401
    assert refused.value.reason == "CREDENTIALS_MISSING"
    assert refused.value.metadata == {
        "method": "google.cloud.run.v2.Services.GetService",
        "service": "run.googleapis.com",
    }
    token = google.identity.access_token(CI)
    sent = [("authorization", f"Bearer {token}")]
    assert run.services.get_service(name=run.name, metadata=sent).generation == 1
    google.identity.revoke(CI)
    with pytest.raises(GoogleAPICallError, match="had invalid authentication credentials"):
        run.services.get_service(name=run.name, metadata=sent)


def test_a_call_that_was_not_let_in_writes_nothing_and_is_not_counted(google: Google, rig: GoogleRig) -> None:
    before = (rig.calls("demo"), rig.writes("demo"))
    with pytest.raises(GoogleAPICallError, match="missing required"):
        Calls(google.url, "grpc").update("traffic", traffic=[to("LATEST", 100)])
    assert ask(google, "DELETE", f"{SERVICES}/web")[0] == 401
    assert (rig.calls("demo"), rig.writes("demo")) == before


def test_a_token_must_be_the_identity_services_own_and_must_not_have_ended(google: Google, rig: GoogleRig) -> None:
    token = google.identity.access_token(CI)
    ended, _ = google.identity.tokens.access_token(CI, lifetime=-1)
    for bad in (f"Bearer {ended}", f"Bearer {token[:-1]}", "Bearer ", "Bearer nonsense"):
        status, told = ask(google, "GET", SERVICES, Authorization=bad)
        assert (status, reason(told)) == (401, "ACCESS_TOKEN_EXPIRED"), bad
    status, told = ask(google, "GET", SERVICES, Authorization="Basic dXNlcjpwYXNz")
    assert (status, reason(told)) == (401, "ACCESS_TOKEN_TYPE_UNSUPPORTED")


def test_a_jwt_that_an_account_signed_itself_is_as_good_and_one_for_another_service_is_not(
    google: Google, rig: GoogleRig
) -> None:
    key = google.identity.state.new_account_key(CI)
    now = int(time.time())

    def signed(audience: str) -> str:
        claims = {"iss": CI, "sub": CI, "aud": audience, "iat": now, "exp": now + 3600}
        made: bytes = jwt.encode(crypt.RSASigner.from_string(key.private, key.kid), claims)  # type: ignore[no-untyped-call]
        return made.decode()

    assert ask(google, "GET", SERVICES, Authorization=f"Bearer {signed('https://run.googleapis.com/')}")[0] == 200
    assert ask(google, "GET", SERVICES, Authorization=f"Bearer {signed('https://example.com/')}")[0] == 401


def test_a_real_client_with_credentials_works_over_rest(google: Google, rig: GoogleRig) -> None:
    token: Any = Credentials(google.identity.access_token(CI))  # type: ignore[no-untyped-call]
    client = run_v2.ServicesClient(transport="rest", credentials=token, client_options={"api_endpoint": google.url})
    assert client.get_service(name=f"{SERVICES[4:]}/web").generation == 1


def test_the_hands_and_what_is_asked_by_hand_go_on_with_a_token_of_their_own(google: Google, rig: GoogleRig) -> None:
    assert rig.add_secret("demo", "token", b"two") == "2"
    rig.set_secret("demo", "token", "1", "disable")
    status, patched = rig.request("PATCH", f"{SERVICES}/web?updateMask=labels", {"labels": {"team": "a"}})
    assert status == 200, patched
    assert rig.request("GET", f"{SERVICES}/web")[1]["lastModifier"] == OPERATOR
    assert rig.request("GET", f"{SERVICES}/nothing")[0] == 404


def test_other_projects_let_anybody_in_and_so_does_this_one_again_when_it_is_wiped(
    google: Google, rig: GoogleRig
) -> None:
    assert ask(google, "GET", SERVICES.replace("demo", "other"))[0] == 200
    rig.need_tokens("demo", needed=False)
    assert ask(google, "GET", SERVICES)[0] == 200
    rig.need_tokens("demo")
    assert ask(google, "GET", SERVICES)[0] == 401
    rig.wipe("demo")
    assert ask(google, "GET", SERVICES)[0] == 200
