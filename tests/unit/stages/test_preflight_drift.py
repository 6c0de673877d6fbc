"""What somebody changed by hand is found before the build, in the words that the rollout has for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from shipper.config import Written
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
    return stage(
        world.settings, TargetSettings(name="here", kind="memory"), world.target(), Written(None, "dev"), Remarks()
    )


@both
def test_a_place_that_is_as_shipper_left_it_takes_the_release(world: World, stage: Stage) -> None:
    assert asked(world, stage).target == "here"
    assert world.calls.count("observe") == 1


def test_what_is_no_drift_but_stays_is_told(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    target, told = world.target(), Remarks()
    seen = target.observe().model_copy(update={"remarks": ("somebody added EVIL",)})
    monkeypatch.setattr(target, "observe", lambda: seen)
    preflight.preflight(world.settings, TargetSettings(name="here", kind="memory"), target, Written(None, "dev"), told)
    assert told.texts == ["somebody added EVIL"]


def test_of_a_strategy_the_targets_own_answer_is_told_alone(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    target = world.target()
    traits = target.traits.model_copy(update={"strategies": ("rolling",)})
    monkeypatch.setattr(type(target), "traits", traits)
    world.sets(image={"repository": "registry.example.com/shop"}, rollout={"strategy": "canary"})
    chosen = TargetSettings(name="here", kind="memory")
    (general,) = preflight.problems_of(world.settings, chosen, target, Written(None, "dev"))
    assert general.message == 'this target cannot roll out "canary"'
    theirs = Problem(code=2, key="rollout.strategy", message="a canary needs weights", hint="configure gateway")
    monkeypatch.setattr(target, "preflight", lambda spec: [theirs])
    assert preflight.problems_of(world.settings, chosen, target, Written(None, "dev")) == [theirs]


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
    ready = preflight.preflight(
        world.settings, TargetSettings(name="here", kind="memory"), target, Written(None, "dev"), Remarks()
    )
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


def test_a_mistake_in_the_configuration_itself_comes_first(world: World) -> None:
    world.place.drift()
    world.sets(run={"secrets": {"TOKEN": "kubernetes:db/token"}})
    with pytest.raises(PreflightRefused) as refused:
        asked(world)
    assert refused.value.exit_code == 2


PORT = Problem(code=2, key="service_port", message="spec.ports[1].name: duplicate value", hint="another name")


def refusing(world: World, *problems: Problem) -> Any:
    """A target whose own preflight, such as a rehearsal of the writes, has these."""
    target = world.target()
    target.preflight = lambda spec: problems
    return target


def looked_at(world: World, target: Any, told: Remarks) -> Readiness:
    return preflight.preflight(
        world.settings, TargetSettings(name="here", kind="memory"), target, Written(None, "dev"), told
    )


def test_what_the_target_runs_into_may_be_the_change_by_hand_which_is_what_is_told(world: World) -> None:
    world.place.drift()
    told = Remarks()
    with pytest.raises(DriftError) as refused:
        looked_at(world, refusing(world, PORT), told)
    assert refused.value.exit_code == 31
    (text,) = told.texts
    assert text.startswith("as it is now, here could not take this release: service_port: spec.ports[1].name")


def test_without_a_change_by_hand_it_is_a_problem_as_ever(world: World) -> None:
    with pytest.raises(PreflightRefused, match="duplicate value") as refused:
        looked_at(world, refusing(world, PORT), Remarks())
    assert refused.value.exit_code == 2


@pytest.mark.parametrize("code", [32, 33])
def test_who_may_not_or_cannot_ask_is_told_that_and_no_drift(world: World, code: Any) -> None:
    world.place.drift()
    denied = Problem(code=code, message="may not get services")
    with pytest.raises(PreflightRefused, match="2 problems") as refused:
        looked_at(world, refusing(world, denied, PORT), Remarks())
    assert refused.value.exit_code == 2
    with pytest.raises(PreflightRefused, match="may not get services") as alone:
        looked_at(world, refusing(world, denied), Remarks())
    assert alone.value.exit_code == code


def test_where_it_cannot_be_looked_at_the_problem_is_what_is_told(world: World) -> None:
    world.around = failing("observe", Transient("HTTP 503"))
    with pytest.raises(PreflightRefused, match="duplicate value"):
        looked_at(world, refusing(world, PORT), Remarks())


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
