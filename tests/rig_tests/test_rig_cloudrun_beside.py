"""The APIs beside Cloud Run on the rig's port: Secret Manager, Resource Manager, Logging, IAM, and who may ask."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.api_core.exceptions import GoogleAPICallError
from google.cloud import run_v2
from google.oauth2.credentials import Credentials

from tests.rig.google.clients import Calls, finished, template, to
from tests.rig.google.cloudrun.contract import SecretRef
from tests.rig.google.cloudrun.defaults import project_number
from tests.rig.google.cloudrun.errors import ApiError
from tests.rig.google.handle import GoogleRig
from tests.rig.google.server import Google

pytestmark = pytest.mark.unit


@pytest.fixture
def rig(google: Google) -> Iterator[GoogleRig]:
    yield GoogleRig(google.url)
    GoogleRig(google.url).wipe("demo")


def ask(google: Google, method: str, path: str, body: Any = None, token: str = "") -> tuple[int, dict[str, Any]]:
    """Status and JSON of one request."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return GoogleRig(google.url).ask(method, path, body, headers=headers, timeout=10)


def test_a_secret_has_versions_that_can_be_read_disabled_and_destroyed(google: Google, rig: GoogleRig) -> None:
    assert rig.add_secret("demo", "token", b"one") == "1"
    assert rig.add_secret("demo", "token", b"two") == "2"
    status, latest = ask(google, "GET", "/v1/projects/demo/secrets/token/versions/latest")
    number = project_number("demo")
    assert (status, latest["name"]) == (200, f"projects/{number}/secrets/token/versions/2")
    assert latest["state"] == "ENABLED"
    status, read = ask(google, "GET", "/v1/projects/demo/secrets/token/versions/1:access")
    assert base64.b64decode(read["payload"]["data"]) == b"one"
    status, same = ask(google, "GET", f"/v1/projects/{number}/secrets/token/versions/1")
    assert (status, same["state"]) == (200, "ENABLED"), "a project's number is as good as its id"
    rig.set_secret("demo", "token", "1", "disable")
    status, refused = ask(google, "GET", "/v1/projects/demo/secrets/token/versions/1:access")
    assert (status, refused["error"]["status"]) == (400, "FAILED_PRECONDITION")
    assert "is in DISABLED state" in refused["error"]["message"]
    rig.set_secret("demo", "token", "1", "destroy")
    status, _ = ask(google, "POST", "/v1/projects/demo/secrets/token/versions/1:enable", {})
    assert status == 400, "what is destroyed does not come back"


def test_secrets_that_are_missing_or_denied_say_so(google: Google, rig: GoogleRig) -> None:
    status, missing = ask(google, "GET", "/v1/projects/demo/secrets/nothing/versions/latest")
    assert (status, missing["error"]["status"]) == (404, "NOT_FOUND")
    rig.add_secret("demo", "token", b"one")
    rig.deny("demo", "secretmanager.versions.access")
    status, denied = ask(google, "GET", "/v1/projects/demo/secrets/token/versions/1:access")
    assert (status, denied["error"]["status"]) == (403, "PERMISSION_DENIED")
    with pytest.raises(ApiError, match="Permission denied on secret"):
        google.secrets.value(SecretRef("demo", "token", "1"))


def test_a_revision_reads_the_version_that_its_template_names(google: Google, rig: GoogleRig) -> None:
    rig.add_secret("demo", "token", b"one")
    run = Calls(google.url, "grpc")
    reference = {"secret_key_ref": {"secret": f"projects/{project_number('demo')}/secrets/token", "version": "1"}}
    wanted = template("shop", "web-1", container={"env": [{"name": "TOKEN", "value_source": reference}]})
    finished(run.send_create(run_v2.Service(template=wanted)))
    assert google.secrets.value(SecretRef(project_number("demo"), "token", "1")) == b"one"
    rig.set_secret("demo", "token", "1", "disable")
    wanted.revision = "web-2"
    with pytest.raises(GoogleAPICallError, match="is in DISABLED state"):
        run.update("template", template=wanted)


@pytest.mark.parametrize("version", ["v1", "v3"])
def test_the_permissions_that_one_has_are_told(google: Google, rig: GoogleRig, version: str) -> None:
    rig.deny("demo", "run.services.create")
    asked = {"permissions": ["run.services.create", "run.services.get"]}
    status, told = ask(google, "POST", f"/{version}/projects/demo:testIamPermissions", asked)
    assert (status, told) == (200, {"permissions": ["run.services.get"]})


@pytest.mark.parametrize("transport", ["grpc", "rest"])
def test_a_policy_says_who_may_call_a_service(google: Google, rig: GoogleRig, transport: Any) -> None:
    run = Calls(google.url, transport)
    run.create("shop", "web-1", [to("web-1", 100)])
    policy = run.services.get_iam_policy({"resource": run.name})
    assert not google.state.may_invoke(run.name, None)
    policy.bindings.add(role="roles/run.invoker", members=["serviceAccount:ci@demo.iam.gserviceaccount.com"])
    second = run.services.set_iam_policy({"resource": run.name, "policy": policy})
    assert google.state.may_invoke(run.name, "ci@demo.iam.gserviceaccount.com")
    assert not google.state.may_invoke(run.name, "someone@example.com")
    with pytest.raises(GoogleAPICallError, match="concurrent policy changes") as stale:
        run.services.set_iam_policy({"resource": run.name, "policy": policy})
    assert stale.value.code == 409
    second.bindings.add(role="roles/run.invoker", members=["allUsers"])
    run.services.set_iam_policy({"resource": run.name, "policy": second})
    assert google.state.may_invoke(run.name, None)
    rig.deny("demo", "run.services.delete")
    asked = {"resource": run.name, "permissions": ["run.services.delete", "run.services.get"]}
    assert list(run.services.test_iam_permissions(asked).permissions) == ["run.services.get"]
    rig.wipe("demo")


def test_the_log_of_a_revision_that_failed_can_be_read(google: Google, rig: GoogleRig) -> None:
    run = Calls(google.url, "grpc")
    with pytest.raises(GoogleAPICallError):
        run.create("crash", "web-1")
    chosen = 'resource.type="cloud_run_revision" AND resource.labels.revision_name="web-1"'
    asked = {"resourceNames": ["projects/demo"], "filter": chosen, "orderBy": "timestamp desc", "pageSize": 10}
    status, told = ask(google, "POST", "/v2/entries:list", asked)
    assert status == 200
    assert [entry["textPayload"] for entry in told["entries"]] == ["model.bin: no such file"]
    assert told["entries"][0]["resource"]["labels"]["service_name"] == "web"
    rig.deny("demo", "logging.logEntries.list")
    assert ask(google, "POST", "/v2/entries:list", asked)[0] == 403
    rig.allow("demo", "logging.logEntries.list")
    status, told = ask(google, "POST", "/v2/entries:list", {**asked, "filter": "textPayload:anything"})
    assert (status, told["error"]["status"]) == (400, "INVALID_ARGUMENT")


def test_of_a_long_log_only_what_is_new_can_be_asked(google: Google, rig: GoogleRig) -> None:
    run = Calls(google.url, "grpc", service="long")
    with pytest.raises(GoogleAPICallError):
        run.create("crash", "long-1")
    chosen = 'resource.type="cloud_run_revision"\nresource.labels.revision_name="long-1"'
    asked = {"resourceNames": ["projects/demo"], "filter": chosen}
    _, told = ask(google, "POST", "/v2/entries:list", asked)
    at = told["entries"][0]["timestamp"]
    _, again = ask(google, "POST", "/v2/entries:list", {**asked, "filter": f'{chosen}\ntimestamp>="{at}"'})
    assert again == told
    _, later = ask(
        google, "POST", "/v2/entries:list", {**asked, "filter": f'{chosen}\ntimestamp>="2099-01-01T00:00:00Z"'}
    )
    assert later == {}


def test_the_right_to_act_as_a_service_account_is_asked_of_the_account(google: Google, rig: GoogleRig) -> None:
    path = "/v1/projects/-/serviceAccounts/runs@demo.iam.gserviceaccount.com:testIamPermissions"
    asked = {"permissions": ["iam.serviceaccounts.actAs"]}
    assert ask(google, "POST", path, asked) == (200, asked)
    rig.deny("demo", "iam.serviceaccounts.actAs")
    assert ask(google, "POST", path, asked) == (200, {})


def test_what_nobody_answers_is_404_in_the_shape_of_google(google: Google) -> None:
    status, told = ask(google, "GET", "/v2/projects/demo/locations/l/nothing")
    assert (status, told["error"]["code"], told["error"]["status"]) == (404, 404, "NOT_FOUND")


def test_json_that_names_an_unknown_field_is_refused(google: Google) -> None:
    path = "/v2/projects/demo/locations/us-central1/services?serviceId=web"
    status, told = ask(google, "POST", path, {"templates": {}})
    assert (status, told["error"]["status"]) == (400, "INVALID_ARGUMENT")
    assert "templates" in told["error"]["message"]


def test_a_token_that_is_no_good_is_401_although_none_at_all_is_let_in(google: Google) -> None:
    services = "/v2/projects/demo/locations/us-central1/services"
    status, told = ask(google, "GET", services, token="nonsense")
    assert (status, told["error"]["status"]) == (401, "UNAUTHENTICATED")
    assert ask(google, "GET", services)[0] == 200


def test_a_token_says_who_asks_and_what_that_one_may(google: Google, rig: GoogleRig) -> None:
    token = google.identity.access_token("ci@demo.iam.gserviceaccount.com")
    services = "/v2/projects/demo/locations/us-central1/services"
    body = {"template": {"containers": [{"image": "docker.io/rig/shop"}]}}
    assert ask(google, "POST", f"{services}?serviceId=web", body, token)[0] == 200
    assert ask(google, "GET", f"{services}/web", token=token)[1]["creator"] == "ci@demo.iam.gserviceaccount.com"
    google.identity.deny("ci@demo.iam.gserviceaccount.com", "run.services.delete", "demo")
    status, told = ask(google, "DELETE", f"{services}/web", token=token)
    assert (status, told["error"]["status"]) == (403, "PERMISSION_DENIED")
    assert told["error"]["details"][0]["metadata"]["permission"] == "run.services.delete"
    assert ask(google, "DELETE", f"{services}/web")[0] == 200


def test_a_real_client_s_credentials_work_on_both_transports(google: Google, rig: GoogleRig, tmp_path: Path) -> None:
    token = google.identity.access_token("ci@demo.iam.gserviceaccount.com")
    credentials = Credentials(token)  # type: ignore[no-untyped-call]
    options = {"api_endpoint": google.url}
    client = run_v2.ServicesClient(transport="rest", credentials=credentials, client_options=options)
    parent = "projects/demo/locations/us-central1"
    wanted = run_v2.Service(template=template("shop", "web-1"))
    finished(client.create_service(parent=parent, service_id="web", service=wanted))
    run = Calls(google.url, "grpc")
    assert run.get().creator == "ci@demo.iam.gserviceaccount.com"
    sent = [("authorization", f"Bearer {token}")]
    assert run.services.get_service(name=run.name, metadata=sent).generation == 1
    with pytest.raises(GoogleAPICallError, match="invalid authentication credentials") as refused:
        run.services.get_service(name=run.name, metadata=[("authorization", "Bearer nonsense")])
    assert refused.value.code == 401
