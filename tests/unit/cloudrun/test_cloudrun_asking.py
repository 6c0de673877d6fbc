"""Who is asked who they are, and with which token."""

from __future__ import annotations

import base64
import json
import time
from types import SimpleNamespace
from typing import Any, cast

import pytest
from google.cloud import run_v2

from shipper.errors import Denied
from shipper.model import ProbeRequest, ProbeResponse, Revision
from shipper_targets.cloudrun import questions
from shipper_targets.cloudrun.api import Api
from shipper_targets.cloudrun.clients import Clients
from shipper_targets.cloudrun.identity import HEADER, KEPT, LEFT, Identity
from shipper_targets.cloudrun.questions import Questions
from shipper_targets.cloudrun.rest import Rest

pytestmark = pytest.mark.unit

REVISION = Revision(name="shop-2", release="x", number=2)
URL, TAGGED = "https://shop.run.app", "https://n2---shop.run.app"


class Platform:
    """A service whose second revision has a tag and no traffic."""

    def __init__(self, **fields: Any) -> None:
        statuses = [
            run_v2.TrafficTargetStatus(type_=2, revision="shop-1", percent=100),
            run_v2.TrafficTargetStatus(type_=2, revision="shop-2", tag="n2", uri=TAGGED),
        ]
        self.found = run_v2.Service(**{"uri": URL, "traffic_statuses": statuses, **fields})

    def service(self) -> run_v2.Service:
        return self.found


class NoTokens:
    """Direct workload identity federation: there is no account behind it that a token could be of."""

    def headers(self, audience: str) -> dict[str, str]:
        raise Denied(f"get an identity token for {audience}")


def asking(platform: Platform, identity: Any, monkeypatch: pytest.MonkeyPatch) -> tuple[Questions, list[Any]]:
    asked: list[Any] = []

    def ask(url: str, request: ProbeRequest, headers: dict[str, str], *, proxies: bool) -> ProbeResponse:
        asked.append((url, headers))
        return ProbeResponse(status=200, headers={}, body=b"")

    monkeypatch.setattr(questions, "asked_over_http", ask)
    return Questions(cast(Api, platform), identity), asked


def test_where_everybody_may_ask_no_token_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    questions, asked = asking(Platform(invoker_iam_disabled=True), NoTokens(), monkeypatch)
    questions.probe(REVISION, ProbeRequest())
    questions.probe(REVISION, ProbeRequest())
    assert asked == [(TAGGED, {}), (TAGGED, {})]
    assert questions.authorization() == {}


def test_elsewhere_a_token_for_the_service_is(monkeypatch: pytest.MonkeyPatch) -> None:
    identity = SimpleNamespace(headers=lambda audience: {HEADER: f"Bearer for {audience}"})
    questions, asked = asking(Platform(), identity, monkeypatch)
    questions.probe(REVISION, ProbeRequest())
    assert asked == [(TAGGED, {"X-Serverless-Authorization": f"Bearer for {URL}"})]
    with pytest.raises(Denied, match=f"for {URL}"):
        asking(Platform(), NoTokens(), monkeypatch)[0].probe(REVISION, ProbeRequest())


def test_a_service_without_its_default_url_has_nothing_to_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    statuses = [run_v2.TrafficTargetStatus(type_=2, revision="shop-2", tag="n2")]
    platform = Platform(uri="", default_uri_disabled=True, traffic_statuses=statuses)
    questions, _ = asking(platform, NoTokens(), monkeypatch)
    with pytest.raises(Denied, match="default URL is disabled"):
        questions.probe(REVISION, ProbeRequest())


def test_a_candidate_of_a_service_that_is_inside_its_network_still_cannot_be_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    inside = run_v2.IngressTraffic.INGRESS_TRAFFIC_INTERNAL_ONLY
    questions, _ = asking(Platform(ingress=inside), NoTokens(), monkeypatch)
    with pytest.raises(Denied, match="inside its network only, now"):
        questions.probe(REVISION, ProbeRequest())


# A person's token is as old as the access token that it came with.


def jwt(ends_in: float) -> str:
    def part(content: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")

    return f"{part({'alg': 'none'})}.{part({'exp': int(time.time() + ends_in), 'email': 'ann@example.com'})}.eA"


class Person:
    """Credentials of `gcloud auth application-default login`."""

    def __init__(self, *tokens: str) -> None:
        self.id_token, *self._next = tokens
        self.renewed = 0

    def refresh(self, request: Any) -> None:
        self.renewed += 1
        self.id_token = self._next.pop(0)


def identity_of(person: Person) -> Identity:
    return Identity(cast(Clients, SimpleNamespace(credentials=person)), cast(Rest, None))


def test_a_token_that_has_ended_is_renewed() -> None:
    fresh = jwt(3600)
    person = Person(jwt(-60), fresh)
    assert identity_of(person).headers(URL) == {HEADER: f"Bearer {fresh}"}
    assert person.renewed == 1


def test_one_that_is_good_is_not() -> None:
    good = jwt(3600)
    person = Person(good)
    identity = identity_of(person)
    assert identity.headers(URL) == identity.headers(URL) == {HEADER: f"Bearer {good}"}
    assert person.renewed == 0


def test_a_token_is_kept_no_longer_than_it_is_good(monkeypatch: pytest.MonkeyPatch) -> None:
    soon, later = jwt(LEFT + 100), jwt(KEPT + 3600)
    person, started = Person(soon, later), time.monotonic()
    identity = identity_of(person)
    assert identity.headers(URL) == {HEADER: f"Bearer {soon}"}
    person.id_token = jwt(LEFT - 1)
    monkeypatch.setattr(time, "monotonic", lambda: started + 150)
    assert identity.headers(URL) == {HEADER: f"Bearer {later}"}
