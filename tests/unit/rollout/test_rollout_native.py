"""What a platform has of its own: secrets by version, addresses that ask who asks, revisions that cost nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from pydantic import ValidationError

from shipper.errors import ConfigError, Denied, NotFound, PlatformError, RolloutFailed, ShipperError, Transient
from shipper.model import (
    Address,
    GoldenRequest,
    HealthSettings,
    ImageRef,
    Observation,
    Probe,
    Revision,
    RunSettings,
    SmokeSettings,
    fingerprint_of,
)
from shipper.model.settings import native_secrets
from shipper.rollout import verify as verifying
from shipper.rollout.secret_versions import secret_versions_of
from shipper.rollout.verify import verify
from shipper.rollout.way_back import way_back
from shipper.smoke.asking import Asked, Fault
from shipper.targets.conformance import Values
from shipper.targets.conformance.memory_splits import TRAITS
from tests.unit.rollout.world import Cancel, FakeClock, World, splitting_world

pytestmark = pytest.mark.unit

PINNED = "projects/acme/secrets/db/versions/7"


class Pinning:
    """A target that has secrets of its own, and a key for those that come along."""

    def __init__(self, problem: PlatformError | None = None) -> None:
        self.problem = problem

    def secret_versions(self, references: Mapping[str, str]) -> dict[str, str]:
        if self.problem:
            raise self.problem
        return dict.fromkeys(references, PINNED)

    def secret_value(self, reference: str) -> bytes:
        return b""


def settings_with(**secrets: str) -> Any:
    return splitting_world().settings.model_copy(
        update={"run": splitting_world().settings.run.model_copy(update={"secrets": secrets})}
    )


def test_a_platforms_own_secret_has_the_platforms_version_and_the_others_a_keyed_hash() -> None:
    settings = settings_with(DB="secret-manager:db", KEY="env:KEY")
    target: Any = Pinning()
    found = secret_versions_of(settings, Values({"KEY": "value"}), target, make_key=True)
    assert found is not None
    assert found["DB"] == PINNED
    assert found["KEY"] == Values({"KEY": "value"}).versions()["KEY"]


def test_a_secret_that_is_not_there_is_a_mistake_in_the_configuration() -> None:
    target: Any = Pinning(NotFound("the secret db has no version 9"))
    with pytest.raises(ConfigError, match="no version 9"):
        secret_versions_of(settings_with(DB="secret-manager:db@9"), Values({}), target, make_key=True)


class Asking:
    """A target whose address asks who asks."""

    traits = TRAITS

    def __init__(self, problem: PlatformError | None = None, reach: Any = "authenticated", unreached: str = "") -> None:
        serving = Revision(name="web-1", release="x", weight=100)
        address = Address(url="http://127.0.0.1:9", reach=reach, unreached=unreached)
        self.observation = Observation(seen="1", serving=(serving,), revisions=(serving,), address=address)
        self.problem = problem

    def observe(self) -> Observation:
        return self.observation

    def authorization(self) -> dict[str, str]:
        if self.problem:
            raise self.problem
        return {"X-Serverless-Authorization": "Bearer token"}


@pytest.mark.parametrize(
    ("problem", "ok", "proof"),
    [(Denied("no identity"), True, "routing"), (Transient("no token server"), False, "routing")],
)
def test_an_address_that_is_not_for_us_is_proved_by_routing_only(problem: PlatformError, ok: bool, proof: str) -> None:
    target: Any = Asking(problem)
    verdict = verify(target, "web-1", HealthSettings(), SmokeSettings(), Cancel(FakeClock()))
    assert (verdict.ok, verdict.proof) == (ok, proof)
    assert str(problem) in verdict.reason


def test_the_address_is_asked_with_what_lets_us_in(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Mapping[str, str]] = []
    real = verifying.ask

    def asks(url: str, request: Any, **options: Any) -> Any:
        sent.append(options["extra_headers"])
        return real(url, request, **options)

    monkeypatch.setattr(verifying, "ask", asks)
    monkeypatch.setattr(verifying, "PATIENCE", 0.0)
    target: Any = Asking()
    verdict = verify(target, "web-1", HealthSettings(), SmokeSettings(), Cancel(FakeClock()))
    assert not verdict.ok, "nothing listens there"
    assert sent == [{"X-Serverless-Authorization": "Bearer token"}]


@pytest.fixture
def keeping() -> World:
    return splitting_world(TRAITS.model_copy(update={"keeps_revisions": True}))


def test_revisions_that_cost_nothing_stay_until_somebody_cleans_up(keeping: World) -> None:
    for text in ("one", "two", "three", "four"):
        keeping.release(text)
    assert keeping.there == ["one", "two", "three", "four"]


def test_one_that_failed_goes_with_the_next_release_all_the_same(keeping: World) -> None:
    keeping.release("one")

    def stays(name: str, call: Any) -> Any:
        return None if name == "retire" else call()

    keeping.around = stays
    with pytest.raises((RolloutFailed, ShipperError)):
        keeping.release("two", "crash-loop")
    keeping.around = None
    assert keeping.there == ["one", "two"]
    keeping.release("three")
    assert keeping.there == ["one", "three"]


# A revision may sleep: the first request waits for its start.


class Slow:
    """An address where an instance has to start first; later requests are quick."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.asked = seconds, list[float]()

    def ask(self, url: str, request: Any, **_: Any) -> Asked:
        self.asked.append(request.timeout)
        wakes = len(self.asked) > 1 or request.timeout >= self.seconds
        fault = None if wakes else Fault("bad-answer", "no answer")
        return Asked(Probe(name=request.name, ok=wakes, seconds=0.0), {}, fault)


# An address that this machine does not get to.


@pytest.mark.parametrize(("reached", "hint"), [(False, "say address = …"), (True, "mend the service")])
def test_an_address_that_nobody_gets_to_is_named_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch, reached: bool, hint: str
) -> None:
    def silent(url: str, request: Any, **_: Any) -> Asked:
        probe = Probe(name=request.name, ok=False, seconds=0.0)
        return Asked(probe, {}, Fault("bad-answer", "no answer"), url=url + request.path, reached=reached)

    monkeypatch.setattr(verifying, "ask", silent)
    monkeypatch.setattr(verifying, "PATIENCE", 0.0)
    target: Any = Asking(reach="public", unreached="say address = …")
    verdict = verify(target, "web-1", HealthSettings(path="/up"), SmokeSettings(), Cancel(FakeClock()))
    assert verdict.reason == "ready at /up: no answer (asked http://127.0.0.1:9/up)"
    assert (verdict.ok, verdict.hint.partition(",")[0]) == (False, hint)
    assert "hint" not in verdict.model_dump(mode="json")


@pytest.mark.parametrize(("sleeps", "ok"), [(True, True), (False, False)])
def test_what_sleeps_has_its_start_up_time_to_answer_first(
    monkeypatch: pytest.MonkeyPatch, sleeps: bool, ok: bool
) -> None:
    address = Slow(seconds=9.0)
    monkeypatch.setattr(verifying, "ask", address.ask)
    monkeypatch.setattr(verifying, "PATIENCE", 0.0)
    target: Any = Asking(reach="public")
    target.traits = TRAITS.model_copy(update={"scales_to_zero": sleeps})
    health = HealthSettings(startup=20.0, timeout=5.0)
    requests = SmokeSettings.model_validate({"requests": [{"name": "home", "path": "/", "timeout": 3}]})
    verdict = verify(target, "web-1", health, requests, Cancel(FakeClock()))
    assert verdict.ok is ok
    assert address.asked == ([20.0, 3.0] if sleeps else [5.0])


def test_the_way_back_to_what_sleeps_counts_its_start() -> None:
    world = splitting_world(TRAITS.model_copy(update={"scales_to_zero": True}))
    for text in ("one", "two"):
        world.release(text, started_in=4.2)
    told = way_back(world.target(), world.known, world.observation, world.clock.now())
    assert told.endswith("about 3 s, and its start of 4.2 s")


# Probes where we have no identity.


def test_a_revision_that_is_not_for_us_to_ask_gets_its_traffic_and_that_is_said(world: World) -> None:
    world.release("one")

    def denied(name: str, call: Any) -> Any:
        if name == "probe":
            raise Denied("no identity token can be made")
        return call()

    world.around = denied
    world.sets(rollout={"strategy": "canary", "steps": [10], "bake": 5})
    world.release("two")
    assert world.serves == {"two": 100}
    assert "web-2 is not asked before it gets traffic: no identity token can be made" in world.told.remarks
    assert "the gate asks web-2 no golden requests: no identity token can be made" in world.told.remarks


def test_what_a_target_adds_is_part_of_the_fingerprint() -> None:
    settings: Any = splitting_world().settings
    images: dict[str, ImageRef] = {}
    without = fingerprint_of(images, settings, {})
    assert fingerprint_of(images, settings, {}, "") == without
    assert len({without, fingerprint_of(images, settings, {}, "a"), fingerprint_of(images, settings, {}, "b")}) == 3


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("kubernetes:db/password", True),
        ("kubernetes:db.creds-2/tls.key", True),
        ("kubernetes:db", False),
        ("kubernetes:DB/key", False),
        ("kubernetes:db/a/b", False),
        ("kubernetes:-db/key", False),
    ],
)
def test_a_secret_of_kubernetes_is_named_by_secret_and_key(text: str, fits: bool) -> None:
    run = {"secrets": {"DB": text}}
    if fits:
        assert native_secrets(RunSettings.model_validate(run).secrets) == {"DB": text}
    else:
        with pytest.raises(ValidationError):
            RunSettings.model_validate(run)


@pytest.mark.parametrize(
    ("wrong", "by", "hint"),
    [
        ("ready at /up", None, "is it the right class?"),
        ("ready at /up", "web-1", "mend the service, or [health] path and status"),
        ("predict", None, 'mend the service, or what [[smoke.requests]] "predict" expects'),
    ],
)
def test_a_wrong_answer_says_what_was_asked_where_and_what_to_do(
    monkeypatch: pytest.MonkeyPatch, wrong: str, by: str | None, hint: str
) -> None:
    """The first one that no revision signs may be somebody else's: of an ingress that does not know the service."""

    def answering(url: str, request: Any, *, host: str | None) -> Asked:
        probe = Probe(name=request.name, ok=request.name != wrong, status=404, seconds=0.0)
        fault = Fault("bad-status", "answered 404, expected 200", "no such host") if request.name == wrong else None
        named = {verifying.REVISION_HEADER: by} if by else {}
        return Asked(probe, named, fault, url=url + request.path, host=host or "")

    monkeypatch.setattr(verifying, "ask", answering)
    monkeypatch.setattr(verifying, "PATIENCE", 0.0)
    target: Any = Asking(reach="public")
    address = Address(
        url="http://127.0.0.1:9", host="shop.example.com", reach="public", misled="is it the right class?"
    )
    target.observation = target.observation.model_copy(update={"address": address})
    smoke = SmokeSettings(requests=(GoldenRequest(name="predict", path="/predict"),))
    verdict = verify(target, "web-1", HealthSettings(path="/up"), smoke, Cancel(FakeClock()))
    path = "/up" if wrong == "ready at /up" else "/predict"
    asked = f"(asked http://127.0.0.1:9{path} as Host: shop.example.com)"
    assert verdict.reason == f"{wrong}: answered 404, expected 200 {asked}"
    assert (verdict.hint.partition(";")[0], verdict.said) == (hint, "no such host")
    assert {"said", "hint"}.isdisjoint(verdict.model_dump(mode="json"))
