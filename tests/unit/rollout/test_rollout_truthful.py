"""What is said and recorded after a rollout that did not work is what is there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from shipper.errors import Interrupted, NotPutBack, PutBack, RollbackImpossible, RolloutFailed, Transient
from shipper.model import Wanted, short
from shipper.rollout import verify
from shipper.stages.select import select
from shipper.targets.conformance.memory import FOREIGN, Held
from tests.unit.rollout.world import Told, World, afterwards

pytestmark = pytest.mark.unit

Around = Callable[[str, Callable[[], Any]], Any]


class Killed(BaseException):
    pass


def dies_after(name: str) -> Around:
    def around(called: str, call: Callable[[], Any]) -> Any:
        result = call()
        if called == name:
            raise Killed
        return result

    return around


def no_answer(name: str, call: Callable[[], Any]) -> Any:
    if name == "ask":
        raise Transient("no answer")
    return call()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify, "PATIENCE", 0.0)


def dead_canary(world: World) -> None:
    """One has 90 % of the traffic; the run behind the 10 % of two is dead."""
    world.sets(rollout={"strategy": "canary", "steps": [10], "bake": 5})
    world.release("one")
    world.around = dies_after("shift")
    with pytest.raises(Killed):
        world.release("two")
    assert world.serves == {"one": 90, "two": 10}


# A rollback to the only thing that could be put back to.


def test_a_rollback_in_a_canary_that_is_not_verified_is_22_because_nothing_can_be_put_back(
    world: World, impatient: None
) -> None:
    dead_canary(world)
    world.around = no_answer
    with pytest.raises(NotPutBack, match="traffic could only be put back to web-1 itself") as caught:
        world.rollback()
    assert (caught.value.exit_code, caught.value.cause) == (22, "not-verified")
    assert (world.serves, world.told.weights) == ({"one": 100}, [{"web-1": 100}])
    assert world.outcomes[-1] == "not-put-back"


def test_a_rollback_that_did_not_work_quarantines_nothing_though_no_traffic_was_put_back(
    world: World, impatient: None
) -> None:
    dead_canary(world)
    world.around = no_answer
    with pytest.raises(NotPutBack):
        world.rollback()
    assert world.memory.stamp.quarantined == world.state.quarantined == ()


def test_a_rollback_in_a_canary_that_is_interrupted_leaves_all_traffic_on_what_was_verified(world: World) -> None:
    dead_canary(world)
    world.around = afterwards("shift", world.cancelled_by().interrupt)
    with pytest.raises(Interrupted):
        world.rollback()
    assert (world.serves, world.memory.stamp.quarantined) == ({"one": 100}, ())


def test_traffic_is_put_back_to_what_was_there_before_us_and_not_to_what_a_dead_run_left(
    world: World, impatient: None
) -> None:
    world.place.adopt("old")  # type: ignore[attr-defined]
    world.around = dies_after("shift")
    with pytest.raises(Killed):
        world.release("dead")
    assert world.serves == {"dead": 100}
    world.around = no_answer
    with pytest.raises(PutBack):
        world.release("two")
    assert world.serves == {"old": 100}


# The platform is gone.


def test_a_platform_that_is_gone_before_traffic_was_touched_is_20_and_the_rest_is_a_remark(world: World) -> None:
    world.release("one")
    gone = False

    def around(name: str, call: Callable[[], Any]) -> Any:
        nonlocal gone
        gone = gone or name == "create"
        if gone:
            raise Transient("connection reset")
        return call()

    world.around = around
    with pytest.raises(RolloutFailed, match="the target does not answer: connection reset") as caught:
        world.release("two")
    assert (caught.value.exit_code, world.serves) == (20, {"one": 100})
    assert "what serves could not be read back (connection reset); this run has moved no traffic" in world.told.remarks


def test_a_platform_that_is_gone_once_traffic_may_have_moved_needs_a_person(world: World) -> None:
    world.release("one")
    gone = False

    def around(name: str, call: Callable[[], Any]) -> Any:
        nonlocal gone
        gone = gone or name == "shift"
        if gone:
            raise Transient("connection reset")
        return call()

    world.around = around
    with pytest.raises(NotPutBack, match="putting back is not confirmed: connection reset"):
        world.release("two")


# Rollbacks to what was there before.


def adopted_and_released_over(world: World) -> None:
    memory = world.memory
    memory.held[FOREIGN] = Held(FOREIGN, None, "good", "old")
    memory.set_weights({FOREIGN: 100})
    memory.version += 1
    world.release("one")


@pytest.mark.parametrize("gone", ["vanished", "stopped"])
def test_what_was_there_before_cannot_come_back_when_it_does_not_live(world: World, gone: str) -> None:
    adopted_and_released_over(world)
    deployable = select(Wanted(to="#0"), world.settings, world.target(), world.ledger, Told(), world.clock)
    if gone == "vanished":
        world.place.lose_revision(FOREIGN)
    else:
        world.memory.held[FOREIGN].stopped = True
        world.memory.version += 1
    with pytest.raises(RollbackImpossible, match=r"#0\) cannot be given traffic here") as caught:
        world.roll_out(deployable, "rollback")
    assert (caught.value.exit_code, world.serves, world.outcomes) == (23, {"one": 100}, ["verified"])


def test_where_a_release_is_applied_what_was_there_before_cannot_come_back(replacing: World, world: World) -> None:
    adopted_and_released_over(world)
    to_zero = select(Wanted(to="#0"), world.settings, world.target(), world.ledger, Told(), world.clock)
    adopted_and_released_over(replacing)
    with pytest.raises(RollbackImpossible):
        replacing.roll_out(to_zero.model_copy(update={"settings": replacing.settings}), "rollback")
    assert replacing.serves == {"one": 100}


def test_a_rollback_lifts_the_quarantine_of_what_serves_already(world: World) -> None:
    world.release("one")
    bad = world.release("two")
    world.rollback()
    world.memory.set_weights({"web-2": 100})
    world.memory.version += 1
    assert world.rollback("#2").changed
    assert short(bad.fingerprint) not in {*world.state.quarantined, *world.memory.stamp.quarantined}


# What the ledger says afterwards.


def test_after_a_rollback_a_release_that_fails_leaves_the_rollbacks_number_serving(world: World) -> None:
    world.release("one")
    world.release("two")
    world.rollback()
    with pytest.raises(RolloutFailed):
        world.release("bad", "crash-loop")
    assert world.state.serving == 3
    assert [line.until is None for line in world.state.releases[:3]] == [False, False, True]


def test_who_was_overtaken_does_not_say_what_serves(world: World) -> None:
    world.sets(rollout={"strategy": "blue-green", "bake": 5})
    world.release("one")
    other = World(place=world.place, settings=world.settings, ledger=world.ledger, clock=world.clock)
    world.cancelled_by().meanwhile = [lambda: None, other.rollback]
    with pytest.raises(PutBack, match="overtaken"):
        world.release("two")
    assert (world.serves, world.state.serving) == ({"one": 100}, 3)


def test_what_serves_after_a_failure_that_left_something_else_there_is_said(world: World) -> None:
    world.release("one")
    world.release("two")
    world.rollback()
    world.memory.set_weights({"web-2": 100})
    world.memory.version += 1
    with pytest.raises(RolloutFailed):
        world.release("bad", "crash-loop")
    assert world.state.serving == 2
