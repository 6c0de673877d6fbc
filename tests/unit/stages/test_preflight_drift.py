"""What somebody changed by hand is found before the build, in the words that the rollout has for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from shipper.errors import CredentialsError, Denied, DriftError, PreflightRefused, Transient, UnreachableError
from shipper.model import Deployable, Drift, Problem, Readiness, TargetSettings
from shipper.pipeline.remarks import Remarks
from shipper.rollout.guards import guard_drift
from shipper.stages import preflight, preflight_config
from tests.unit.rollout.world import World, failing, splitting_world

pytestmark = pytest.mark.unit

PREFLIGHTS = (preflight.preflight, preflight_config.preflight)
both = pytest.mark.parametrize("stage", PREFLIGHTS, ids=["release", "config-only"])

Stage = Callable[..., Readiness]


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "SECOND_LOOK", 0.0)


@pytest.fixture
def world() -> World:
    """A service that was released once."""
    world = splitting_world()
    world.sets(image={"repository": "registry.example.com/shop"})
    world.release("one")
    return world


def asked(world: World, stage: Stage = preflight.preflight) -> Readiness:
    world.calls = []
    return stage(world.settings, TargetSettings(name="here", kind="memory"), world.target(), Remarks())


@both
def test_a_place_that_is_as_shipper_left_it_takes_the_release(world: World, stage: Stage) -> None:
    assert asked(world, stage).target == "here"
    assert world.calls.count("observe") == 1


@both
def test_a_change_by_hand_is_refused_before_the_build_with_the_difference(world: World, stage: Stage) -> None:
    world.place.drift()
    (found,) = world.observation.drift
    with pytest.raises(DriftError) as refused:
        asked(world, stage)
    assert refused.value.exit_code == 31
    assert refused.value.details == (f"{found.field}: {found.ours} -> {found.found}",)


def test_what_is_gone_at_a_second_look_was_another_run_at_work(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.place.drift()
    target = world.target()
    looks = [target.observe(), target.observe().model_copy(update={"seen": "another version"})]
    monkeypatch.setattr(target, "observe", lambda: looks.pop(0))
    ready = preflight.preflight(world.settings, TargetSettings(name="here", kind="memory"), target, Remarks())
    assert ready.target == "here"
    assert looks == []


def test_before_the_build_and_under_the_lease_the_words_are_the_same(world: World) -> None:
    world.place.drift()
    with pytest.raises(DriftError) as early:
        asked(world)
    with pytest.raises(DriftError) as late:
        world.release("two")
    told = [(error.message, error.hint, error.details) for error in (early.value, late.value)]
    assert told[0] == told[1]


def test_a_change_between_the_preflight_and_the_rollout_is_found_by_the_rollout(world: World) -> None:
    asked(world)
    world.place.drift()
    with pytest.raises(DriftError):
        world.release("two")
    assert world.there == ["one"]


def test_a_place_where_nothing_was_ever_released_has_nothing_to_compare() -> None:
    world = splitting_world()
    world.sets(image={"repository": "registry.example.com/shop"})
    assert asked(world).target == "here"


def test_what_served_before_shipper_came_is_nobodys_change(world: World) -> None:
    fresh = splitting_world()
    fresh.sets(image={"repository": "registry.example.com/shop"})
    fresh.place.adopt("theirs")  # type: ignore[attr-defined]
    assert fresh.observation.main is not None
    assert asked(fresh).target == "here"


def test_what_a_run_at_work_leaves_halfway_is_left_to_the_rollout_to_judge(world: World) -> None:
    world.place.drift()
    world.memory.in_flight = "an operation of another run"
    assert asked(world).target == "here"
    with pytest.raises(DriftError):
        world.release("two")


def test_problems_of_the_configuration_come_first(world: World) -> None:
    world.place.drift()
    refusing: Any = world.target()
    refusing.preflight = lambda spec: [Problem(code=2, message="no")]
    with pytest.raises(PreflightRefused):
        preflight.preflight(world.settings, TargetSettings(name="here", kind="memory"), refusing, Remarks())


@pytest.mark.parametrize(
    ("error", "ours"), [(Transient("HTTP 503"), UnreachableError), (Denied("not granted"), CredentialsError)]
)
def test_a_place_that_cannot_be_looked_at_takes_no_release(world: World, error: Exception, ours: type) -> None:
    world.around = failing("observe", error)
    with pytest.raises(ours, match=str(error)):
        asked(world)


def test_a_rollback_shows_every_change_and_takes_it_over(world: World) -> None:
    deployable = Deployable(images={}, settings=world.settings, published=False, origin="rollback")
    drift = tuple(Drift(field=name, ours="1", found="2") for name in ("memory", "cpu"))
    told = Remarks()
    guard_drift(world.observation.model_copy(update={"drift": drift}), deployable, told)
    assert told.texts == ["changed by hand, and taken over by this rollback: memory: 1 -> 2; cpu: 1 -> 2"]
