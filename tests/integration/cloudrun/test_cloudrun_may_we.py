"""What a release needs to be allowed, asked before the build: with real credentials where that matters."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from shipper.errors import Transient
from shipper.model import GoldenRequest, ProbeRequest, Problem, TargetSpec
from shipper.smoke.asking import ask
from shipper.targets import asked_over_http
from shipper_targets.cloudrun.adapter import ReachableTarget
from tests.integration.cloudrun.conftest import Place
from tests.rig.google.handle import GoogleRig

pytestmark = pytest.mark.integration

SECRET: dict[str, Any] = {"secrets": {"TOKEN": "secret-manager:token"}, "secrets_as": "environment"}


def reachable(place: Place) -> ReachableTarget:
    """One that is asked over the internet."""
    target = place.target()
    assert isinstance(target, ReachableTarget)
    return target


def problems(place: Place, **sections: Any) -> list[Problem]:
    target = place.target(**sections)
    return list(target.preflight(TargetSpec(settings=place.settings(**sections), target="run")))


def federated(place: Place, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """GitHub's direct workload identity federation: no service account behind it."""
    file = place.google.identity.federation_file(folder / "federation.json", place.google.url)
    content = json.loads(file.read_text())
    del content["service_account_impersonation_url"]
    file.write_text(json.dumps(content))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", place.project)


def test_credentials_that_cannot_say_who_asks_are_found_before_the_build(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    federated(place, tmp_path, monkeypatch)
    place.own = {"credentials": "default"}
    (problem,) = problems(place)
    assert (problem.code, problem.key) == (32, "targets.access")
    assert "cannot make one" in problem.message
    assert 'access = "public"' in problem.hint
    for access in ("public", "internal"):
        place.own = {"credentials": "default", "access": access}
        assert problems(place) == []


def test_and_are_good_enough_where_everybody_may_ask(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    federated(place, tmp_path, monkeypatch)
    place.own = {"credentials": "default", "access": "public"}
    place.released(1)
    second = place.created(place.release(2))
    with pytest.raises(Transient, match="connection refused"):  # nobody listens there in these tests: it was asked
        reachable(place).probe(second, ProbeRequest())


def test_whoever_asks_the_service_must_be_let_in(place: Place) -> None:
    place.google.hands.deny(place.project, "run.routes.invoke")
    (problem,) = problems(place)
    assert problem.code == 32
    assert "run.routes.invoke" in problem.message
    assert "roles/run.invoker" in problem.hint
    place.own = {"access": "public"}
    assert problems(place) == []


def test_a_service_that_is_there_need_not_be_created(place: Place) -> None:
    place.google.hands.deny(place.project, "run.services.create")
    (problem,) = problems(place)
    assert "run.services.create" in problem.message
    place.google.hands.allow(place.project, "run.services.create")
    place.released(1)
    place.google.hands.deny(place.project, "run.services.create")
    assert problems(place) == []


def test_a_secret_is_read_or_it_is_not(place: Place) -> None:
    """The permission may be given on the secret alone: reading it proves it, and the project is not asked."""
    GoogleRig(place.google.url).add_secret(place.project, "token", b"one")
    assert problems(place, run=SECRET) == []
    assert place.told.remarks == []
    place.google.hands.deny(place.project, "secretmanager.versions.get")
    (problem,) = problems(place, run=SECRET)
    assert (problem.code, problem.key) == (32, "run.secrets.TOKEN")


def test_a_value_that_smoke_cannot_read_is_a_remark(place: Place) -> None:
    GoogleRig(place.google.url).add_secret(place.project, "token", b"one")
    place.google.hands.deny(place.project, "secretmanager.versions.access")
    assert problems(place, run=SECRET, smoke={"secrets": {"TOKEN": "env:STAND_IN"}}) == []
    assert problems(place, run=SECRET, smoke={"enabled": False}) == []
    assert place.told.remarks == []
    assert problems(place, run=SECRET) == []
    (remark,) = place.told.remarks
    assert "value of TOKEN" in remark
    assert "roles/secretmanager.secretAccessor" in remark


def test_a_plan_that_could_not_be_checked_is_not_called_a_refusal(place: Place) -> None:
    place.released(1)
    place.settled()
    target = place.target()
    now = target.observe()
    place.google.hands.fail(place.project, "UpdateService", "UNAVAILABLE", 10)
    remarks = target.plan(place.release(2), now).remarks
    assert any("could not be asked" in remark for remark in remarks)
    assert not any("would not take" in remark for remark in remarks)


def test_a_golden_requests_own_authorization_reaches_the_service() -> None:
    heard: list[dict[str, str]] = []

    class Service(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            heard.append({name.lower(): value for name, value in self.headers.items()})
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Service) as server:
        Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        url, ours = f"http://127.0.0.1:{server.server_port}", {"X-Serverless-Authorization": "Bearer identity"}
        request = ProbeRequest(headers={"authorization": "Bearer app", "x-serverless-authorization": "not this one"})
        asked_over_http(url, request, ours, proxies=False)
        golden = GoldenRequest.model_validate({"name": "x", "path": "/", "headers": {"Authorization": "Bearer app"}})
        ask(url, golden, extra_headers=ours)
        server.shutdown()
    assert [one["authorization"] for one in heard] == ["Bearer app", "Bearer app"]
    assert [one["x-serverless-authorization"] for one in heard] == ["Bearer identity", "Bearer identity"]
