"""What a platform has of its own: secrets by version, addresses that ask who asks, revisions that cost nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from shipper.errors import Denied, NotFound, PlatformError, RolloutFailed, ShipperError, Transient
from shipper.model import Address, HealthSettings, Observation, Revision, SmokeSettings
from shipper.rollout import verify as verifying
from shipper.rollout.secret_versions import secret_versions_of
from shipper.rollout.verify import verify
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


def test_a_secret_that_is_not_there_is_told_as_the_platform_tells_it() -> None:
    target: Any = Pinning(NotFound("the secret db has no version 9"))
    with pytest.raises(NotFound, match="no version 9"):
        secret_versions_of(settings_with(DB="secret-manager:db@9"), Values({}), target, make_key=True)


class Asking:
    """A target whose address asks who asks."""

    def __init__(self, problem: PlatformError | None = None, reach: Any = "authenticated") -> None:
        serving = Revision(name="web-1", release="x", weight=100)
        self.observation = Observation(
            seen="1", serving=(serving,), revisions=(serving,), address=Address(url="http://127.0.0.1:9", reach=reach)
        )
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
