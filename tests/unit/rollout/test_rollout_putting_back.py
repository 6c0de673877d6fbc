"""What is put back when a rollout does not work, and what is said about it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import Any

import pytest

from shipper.errors import (
    Denied,
    DriftError,
    Interrupted,
    NotPutBack,
    PutBack,
    RolloutFailed,
    ShipperError,
    Transient,
)
from shipper.rollout import patience
from shipper.targets.conformance.memory_splits import TRAITS
from tests.unit.rollout.world import World, afterwards, failing, splitting_world

pytestmark = pytest.mark.unit


@pytest.fixture
def never_lets_go() -> Any:
    """Calls that hang until the test is over."""
    over = threading.Event()
    yield lambda: over.wait(30)
    over.set()


def test_a_revision_that_crashes_leaves_what_served(world: World) -> None:
    world.release("one")
    with pytest.raises(RolloutFailed) as caught:
        world.release("two", "crash-loop")
    assert (caught.value.exit_code, caught.value.cause) == (20, "crashed")
    assert (world.serves, world.there) == ({"one": 100}, ["one"])
    assert world.outcomes == ["verified", "failed"]
    assert world.state.serving == 1


def test_a_revision_that_never_gets_ready_is_given_up_after_its_budget(world: World) -> None:
    with pytest.raises(RolloutFailed, match=r"not ready within 0.3 s"):
        world.release("one", "never-ready")
    assert world.there == []


def test_a_wrong_golden_answer_keeps_traffic_away(world: World) -> None:
    world.release("one")
    world.sets(smoke={"requests": [{"name": "predict", "path": "/"}]})
    with pytest.raises(RolloutFailed, match="predict: answered 500, expected 2xx") as caught:
        world.release("two", "failing")
    assert (caught.value.exit_code, world.told.weights) == (20, [])
    assert str(caught.value).startswith("web-2 does not answer as it must: ")
    assert caught.value.details[0] == "it answered: failing"
    assert 'what [[smoke.requests]] "predict" expects' in caught.value.hint


def _unverified(world: World) -> None:
    """What serves is asked at its address and answers wrongly, although the revision itself answered well."""
    world.memory.held[world.name(world.state.highest)].kind = "failing"


def _fails_once_it_serves(world: World) -> None:
    world.sets(smoke={"requests": [{"name": "predict", "method": "POST", "path": "/"}]})
    world.around = afterwards("shift", lambda: _unverified(world))


def test_when_verification_fails_traffic_is_put_back(world: World) -> None:
    world.release("one")
    _fails_once_it_serves(world)
    with pytest.raises(PutBack, match="predict: answered 500, expected 2xx; traffic was put back") as caught:
        world.release("two")
    assert (caught.value.exit_code, caught.value.cause) == (21, "not-verified")
    assert caught.value.details == ("it answered: failing",)
    assert 'what [[smoke.requests]] "predict" expects' in caught.value.hint
    assert world.told.weights == [{"web-2": 100}, {"web-1": 100}]
    assert (world.serves, world.there) == ({"one": 100}, ["one"])
    assert world.outcomes == ["verified", "put-back"]


def test_a_first_release_that_is_not_verified_leaves_nothing(world: World) -> None:
    _fails_once_it_serves(world)
    with pytest.raises(PutBack):
        world.release("one")
    assert (world.serves, world.there) == ({}, [])


def test_where_the_first_create_serves_at_once_putting_back_removes_it() -> None:
    world = splitting_world(TRAITS.model_copy(update={"first_create_serves": True}))
    with pytest.raises(PutBack):
        world.release("one", "crash-loop")
    assert (world.serves, world.there) == ({}, [])
    assert world.release("two").changed


def test_when_putting_back_fails_a_person_is_needed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.release("one")
    _fails_once_it_serves(world)
    inner = world.around
    assert inner is not None
    shifted = False

    def around(name: str, call: Callable[[], Any]) -> Any:
        nonlocal shifted
        if shifted and name == "shift":
            raise Denied("not permitted any more")
        shifted = shifted or name == "shift"
        return inner(name, call)

    world.around = around
    with pytest.raises(NotPutBack, match="putting back is not confirmed: not permitted any more") as caught:
        world.release("two")
    assert caught.value.exit_code == 22
    assert "web-1 100 %" in caught.value.hint
    assert world.outcomes == ["verified", "not-put-back"]


def test_putting_back_is_tried_again_when_no_answer_comes(world: World) -> None:
    world.release("one")
    _fails_once_it_serves(world)
    inner = world.around
    assert inner is not None
    lost = iter([None, Transient("reset"), Transient("reset")])

    def around(name: str, call: Callable[[], Any]) -> Any:
        if name == "shift" and (error := next(lost, None)) is not None:
            raise error
        return inner(name, call)

    world.around = around
    with pytest.raises(PutBack):
        world.release("two")
    assert world.serves == {"one": 100}


def test_a_bug_of_ours_puts_things_back_and_stays_a_bug(world: World) -> None:
    world.release("one")
    world.around = failing("probe", ZeroDivisionError("a bug"))
    with pytest.raises(ZeroDivisionError):
        world.release("two")
    assert (world.serves, world.there) == ({"one": 100}, ["one"])
    assert world.state.releases[-1].cause == "bug"


def test_traffic_that_somebody_else_moved_is_not_overwritten(world: World) -> None:
    for text in ("one", "two"):
        world.release(text)

    def somebody_goes_back() -> None:
        world.memory.set_weights({"web-1": 100})
        world.memory.version += 1

    world.around = afterwards("create", somebody_goes_back)
    with pytest.raises(DriftError, match="somebody else moved traffic meanwhile, now web-1 100 %"):
        world.release("three")
    assert (world.serves, world.there) == ({"one": 100}, ["one", "two"])


def test_an_unverified_leftover_of_a_dead_run_is_not_put_back_to(world: World) -> None:
    world.sets(rollout={"strategy": "canary", "steps": [10]})
    world.release("one")

    class Killed(BaseException):
        pass

    world.cancelled_by().meanwhile = [_raiser(Killed())]
    with pytest.raises(Killed):
        world.release("two")
    assert world.serves == {"one": 90, "two": 10}
    world.sets(rollout={"strategy": "all-at-once"})
    _fails_once_it_serves(world)
    with pytest.raises(PutBack):
        world.release("three")
    assert world.serves == {"one": 100}


def test_recreate_stops_what_serves_first_and_starts_it_again_when_it_fails(world: World) -> None:
    world.sets(rollout={"strategy": "recreate"})
    world.release("one")
    world.release("two")
    assert world.told.weights == [{}, {"web-2": 100}]
    assert "recreate: web-1 is stopped first" in world.told.remarks[0]
    assert world.there == ["(one)", "two"]
    with pytest.raises(PutBack):
        world.release("three", "crash-loop")
    assert (world.serves, world.there) == ({"two": 100}, ["(one)", "two"])


# Deadlines and signals.


def test_the_deadline_restores_by_itself(world: World) -> None:
    world.release("one")
    world.sets(rollout={"strategy": "blue-green", "bake": 100, "deadline": 30})
    with pytest.raises(PutBack, match="longer than its deadline") as caught:
        world.release("two")
    assert (caught.value.cause, world.serves) == ("deadline", {"one": 100})


@pytest.mark.parametrize("name", ["create", "progress", "probe", "shift", "ask"])
@pytest.mark.parametrize("at", [1, 2])
def test_interrupted_during_any_call_what_served_serves(world: World, name: str, at: int) -> None:
    world.release("one")
    cancel = world.cancelled_by()
    world.around = afterwards(name, cancel.interrupt, at)
    with contextlib.suppress(Interrupted):
        assert world.release("two").number == 2
    assert (world.serves, world.outcomes) in (
        ({"one": 100}, ["verified", "interrupted"]),
        ({"two": 100}, ["verified", "verified"]),
    )
    assert len(world.there) == (1 if world.serves == {"one": 100} else 2)
    assert at == 2 or world.serves == {"one": 100}, "nothing was proved before the first such call"


@pytest.mark.parametrize("name", ["progress", "probe", "ask", "create", "shift"])
def test_a_call_that_hangs_does_not_keep_putting_back_from_starting(
    world: World, name: str, never_lets_go: Callable[[], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "WRITE_GRACE", 0.0)
    world.release("one")
    cancel = world.cancelled_by()
    hung = False

    def around(called: str, call: Callable[[], Any]) -> Any:
        nonlocal hung
        if called == name and not hung:
            hung = True
            cancel.interrupt()
            never_lets_go()
        return call()

    world.around = around
    with pytest.raises(Interrupted):
        world.release("two")
    assert (world.serves, world.there) == ({"one": 100}, ["one"])


@pytest.mark.parametrize("name", ["create", "shift"])
def test_a_write_that_was_left_behind_comes_too_late(world: World, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its `seen` is old by then: putting back wrote although everything looked untouched."""
    monkeypatch.setattr(patience, "WRITE_GRACE", 0.0)
    world.release("one")
    cancel, over = world.cancelled_by(), threading.Event()
    ended: list[str] = []
    late = threading.Event()

    def around(called: str, call: Callable[[], Any]) -> Any:
        if called != name or ended:
            return call()
        ended.append("hanging")
        cancel.interrupt()
        over.wait(30)
        try:
            return call()
        except ShipperError:
            raise
        except Exception as error:
            ended.append(type(error).__name__)
            raise
        finally:
            late.set()

    world.around = around
    with pytest.raises(Interrupted):
        world.release("two")
    over.set()
    assert late.wait(30)
    assert ended == ["hanging", "Conflict"]
    assert (world.serves, world.there) == ({"one": 100}, ["one"])


def test_putting_back_that_is_not_confirmed_in_time_says_what_to_run(
    world: World, never_lets_go: Callable[[], object]
) -> None:
    world.release("one")
    cancel = world.cancelled_by()
    shifts = 0

    def around(called: str, call: Callable[[], Any]) -> Any:
        nonlocal shifts
        if called == "shift":
            shifts += 1
            if shifts == 1:
                result = call()
                cancel.interrupt(remaining=5.0)
                return result
            cancel.remaining = 0.1
            never_lets_go()
        return call()

    world.around = around
    with pytest.raises(NotPutBack, match="putting traffic back to web-1 100 % was requested, not confirmed") as caught:
        world.release("two")
    assert (caught.value.exit_code, caught.value.cause) == (22, "unconfirmed")
    assert "shipper status --service web --env test --target memory" in caught.value.hint


def test_a_signal_after_the_proof_changes_nothing_and_is_told(world: World) -> None:
    world.release("one")
    cancel = world.cancelled_by()
    world.around = afterwards("write_stamp", cancel.interrupt)
    assert world.release("two").number == 2
    assert (world.serves, world.outcomes) == ({"two": 100}, ["verified", "verified"])
    assert "retire" not in world.calls


def _raiser(error: BaseException) -> Callable[[], None]:
    def fail() -> None:
        raise error

    return fail


def test_a_platform_that_is_away_for_a_moment_is_waited_for_when_traffic_must_go_back(world: World) -> None:
    world.sets(rollout={"strategy": "canary", "steps": [10], "bake": 5, "gate": {"command": ["false"]}})
    world.release("one")
    asked: list[str] = []

    def away(name: str, call: Callable[[], Any]) -> Any:
        if name == "shift":
            asked.append(name)
            if 1 < len(asked) <= 11:  # the first one moves 10 %; then nothing answers for a while
                raise Transient("503")
        return call()

    world.around = away
    with pytest.raises(PutBack):
        world.release("two")
    assert world.serves == {"one": 100}
