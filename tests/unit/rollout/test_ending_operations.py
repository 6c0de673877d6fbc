"""An operation that is to be ended may be called otherwise by then: its name has a number that each write changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from shipper.errors import (
    Conflict,
    LockedError,
    NotFound,
    NotPutBack,
    Overtaken,
    PlatformError,
    RolloutFailed,
    Transient,
)
from shipper.model import Observation, Stamp, new_release_id
from shipper.rollout.writes import Writer
from shipper.targets.conformance.memory import Held
from shipper.targets.conformance.memory_replaces import ReplacingTarget, Rolling
from tests.unit.rollout.test_rollout_operations import Killed, dies_after, stuck_in_an_operation, writes
from tests.unit.rollout.world import World, failing

pytestmark = pytest.mark.unit


class Counting(ReplacingTarget):
    """As a Deployment's generation: "rollout to generation 7"."""

    def observe(self) -> Observation:
        found = super().observe()
        return found.model_copy(update={"in_flight": self._named(found.in_flight)})

    def abort(self, in_flight: str, stamp: Stamp, seen: str) -> None:
        with self.memory.lock:
            known = in_flight == self._named(self.memory.in_flight)
            super().abort(self.memory.in_flight or "" if known else in_flight, stamp, seen)

    def _named(self, in_flight: str | None) -> str | None:
        return f"rollout to generation {self.memory.version}" if in_flight else None


@pytest.fixture
def counting(replacing: World) -> World:
    """A dead run's release is under way over one that serves."""
    memory = replacing.memory
    assert isinstance(memory, Rolling)
    replacing.place.connect = lambda _, secrets: Counting(memory, secrets)
    stuck_in_an_operation(replacing)
    return replacing


def just_before_it_is_ended(action: Callable[[], object]) -> Callable[[str, Callable[[], Any]], Any]:
    """Somebody does this after the first write was decided and before it is made."""
    left = [action]

    def around(name: str, call: Callable[[], Any]) -> Any:
        if name == "abort" and left:
            left.pop()()
        return call()

    return around


@pytest.mark.parametrize("how", ["release", "rollback"])
def test_it_is_ended_under_its_new_name(counting: World, how: str) -> None:
    def touches() -> None:
        counting.memory.version += 1

    counting.around = just_before_it_is_ended(touches)
    deployment = counting.release("three") if how == "release" else counting.rollback()
    assert writes(counting)[:2] == ["abort", "abort"], "the first one met a conflict"
    assert counting.memory.in_flight is None
    assert counting.serves == {"three" if how == "release" else "one": 100}
    assert deployment.verdict.ok


def test_another_one_that_somebody_has_begun_since_is_not_a_releases_to_end(counting: World) -> None:
    def begins() -> None:
        known = next(iter(counting.memory.records.values()))
        newer = known.model_copy(update={"id": new_release_id(), "number": 9})
        counting.memory.held["web-9"] = Held("web-9", newer, "never-ready", "theirs")
        counting.memory.in_flight = newer.id
        counting.memory.version += 1

    counting.around = just_before_it_is_ended(begins)
    with pytest.raises(LockedError, match="generation") as caught:
        counting.release("three")
    assert caught.value.exit_code == 30
    assert writes(counting) == ["abort"], "which met a conflict"


def test_what_it_began_itself_by_ending_one_is_not_ended_again(counting: World) -> None:
    """The answer was lost, and what is under way now puts back what served."""

    def around(name: str, call: Callable[[], Any]) -> Any:
        result = call()
        if name == "abort" and writes(counting) == ["abort"]:
            with counting.memory.lock:
                del counting.memory.held["web-2"]
                counting.memory.in_flight = "putting back, which takes a while"
                counting.memory.version += 1
            raise Transient("connection reset")
        return result

    counting.around = around
    assert counting.rollback().verdict.ok
    assert writes(counting).count("abort") == 1
    assert counting.serves == {"one": 100}


@pytest.mark.parametrize("error", [Conflict("somebody wrote since"), NotFound("it is not under way")], ids=repr)
@pytest.mark.parametrize("how", ["release", "rollback"])
def test_who_meets_its_own_write_that_ended_it_is_not_overtaken(
    counting: World, how: str, error: PlatformError
) -> None:
    """The answer was lost, and the adapter's client made the call again."""

    def around(name: str, call: Callable[[], Any]) -> Any:
        result = call()
        if name == "abort":
            raise error
        return result

    counting.around = around
    deployment = counting.release("three") if how == "release" else counting.rollback()
    assert writes(counting).count("abort") == 1
    assert counting.serves == {"three" if how == "release" else "one": 100}
    assert deployment.verdict.ok


def test_a_run_that_was_told_of_a_conflict_with_somebody_else_has_ended_nothing(counting: World) -> None:
    def ends_it() -> None:
        counting.memory.in_flight = None
        counting.memory.version += 1

    counting.around = just_before_it_is_ended(ends_it)
    assert counting.release("three").verdict.ok
    assert writes(counting)[:2] == ["abort", "replace"]


# What a run could not put back, and has said so.


def not_put_back(world: World) -> None:
    """The run has ended with 22, and its operation is under way."""
    world.around = failing("abort", *[Transient("HTTP 503")] * 16)
    with pytest.raises(NotPutBack):
        world.release("stuck", "never-ready")
    assert world.memory.in_flight is not None


@pytest.mark.parametrize("serving", ["", "one"])
def test_what_was_not_put_back_does_not_keep_the_next_release_out(
    replacing: World, monkeypatch: pytest.MonkeyPatch, serving: str
) -> None:
    monkeypatch.setattr("shipper.rollout.writes.LONGEST_PAUSE", 0.0)
    if serving:
        replacing.release(serving)
    not_put_back(replacing)
    assert replacing.release("mended").verdict.ok
    assert writes(replacing)[:2] == ["abort", "replace"]
    assert (replacing.serves, replacing.memory.in_flight) == ({"mended": 100}, None)


def test_what_was_overtaken_does_not_keep_the_next_release_out(
    replacing: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a run that died before its first write, or by nobody: the ledger was silent for too long."""
    replacing.release("one")
    reads = Writer.observe

    def observe(writer: Writer, *args: Any, **how: Any) -> Observation:
        if "replace" in replacing.calls:
            raise Overtaken("a rollback took the lease")
        return reads(writer, *args, **how)

    monkeypatch.setattr(Writer, "observe", observe)
    with pytest.raises(NotPutBack):
        replacing.release("stuck", "never-ready")
    monkeypatch.setattr(Writer, "observe", reads)
    assert (replacing.outcomes[-1], replacing.serves) == ("overtaken", {"one": 100})
    assert replacing.memory.in_flight is not None
    assert replacing.release("mended").verdict.ok
    assert writes(replacing)[:2] == ["abort", "replace"]


def test_a_rollback_that_was_not_put_back_is_left_to_people(replacing: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it was to end may be what comes back, quarantined by that very rollback."""
    monkeypatch.setattr("shipper.rollout.writes.LONGEST_PAUSE", 0.0)
    replacing.release("good")
    replacing.release("bad")
    monkeypatch.setattr(ReplacingTarget, "_move_on", lambda target: None)
    replacing.around = failing("abort", *[Transient("HTTP 503")] * 16)
    with pytest.raises(NotPutBack):
        replacing.rollback()
    assert (replacing.outcomes[-1], replacing.serves) == ("not-put-back", {"bad": 100})
    with pytest.raises(LockedError):
        replacing.release("by CI")
    assert writes(replacing) == []


def test_what_was_good_may_be_back_although_nothing_served_before(
    replacing: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A platform that stops before it starts: a dead run's operation was ended, and its way back takes a while."""
    replacing.release("one")
    memory, comes_back, looks = replacing.memory, ReplacingTarget.abort, list[int]()

    def abort(target: ReplacingTarget, in_flight: str, stamp: Stamp, seen: str) -> None:
        comes_back(target, in_flight, stamp, seen)
        memory.set_weights({})
        memory.in_flight = "the way back"
        looks[:] = [3]

    def replace(target: ReplacingTarget, *args: Any) -> Any:
        looks.clear()
        memory.in_flight = None
        found = starts(target, *args)
        memory.set_weights({})
        return found

    def moves_on(target: ReplacingTarget) -> None:
        if not looks:
            goes_on(target)
            return
        looks[0] -= 1
        if looks == [0]:
            looks.clear()
            memory.set_weights({"web-1": 100})
            memory.in_flight = None
            memory.version += 1

    starts, goes_on = ReplacingTarget.replace, ReplacingTarget._move_on
    for name, changed in (("abort", abort), ("replace", replace), ("_move_on", moves_on)):
        monkeypatch.setattr(ReplacingTarget, name, changed)
    replacing.around = dies_after("replace")
    with pytest.raises(Killed):
        replacing.release("stuck", "never-ready")
    with pytest.raises(RolloutFailed) as caught:
        replacing.release("stuck too", "never-ready")
    assert caught.value.exit_code == 20
    assert replacing.serves == {"one": 100}


def test_what_may_be_the_way_back_is_waited_for(replacing: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """It had traffic, the run has asked for what served before, and has not seen it come back."""
    replacing.release("one")
    replacing.sets(smoke={"requests": [{"name": "text", "path": "/"}]})
    monkeypatch.setattr(ReplacingTarget, "_move_on", lambda target: None)
    replacing.around = lambda name, call: the_way_back_takes_long(replacing, name, call)
    with pytest.raises(NotPutBack):
        replacing.release("two", "failing")
    assert (replacing.outcomes[-1], replacing.serves) == ("not-put-back", {"two": 100})
    with pytest.raises(LockedError):
        replacing.release("three")
    assert writes(replacing) == []


def the_way_back_takes_long(world: World, name: str, call: Callable[[], Any]) -> Any:
    """What is applied first has all traffic at once; what is applied then is under way for ever."""
    result = call()
    if name == "replace" and world.calls.count("replace") == 1:
        world.memory.set_weights({"web-2": 100})
        world.memory.in_flight = None
    return result
