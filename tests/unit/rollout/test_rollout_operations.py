"""Operations under way on a target that replaces: overtaken in one, ending one, and what may no longer be said then."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from shipper.errors import CredentialsError, Denied, DriftError, NotPutBack, PolicyError, RolloutFailed, Transient
from shipper.rollout import overtaken
from tests.unit.rollout.world import Unreachable, World, afterwards, failing

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


def stuck_in_an_operation(world: World) -> None:
    """One serves, of a known commit; the run behind the operation is dead."""
    world.release("one", commit="a" * 40, commit_time=2000)
    world.around = dies_after("replace")
    with pytest.raises(Killed):
        world.release("stuck", "never-ready")


def writes(world: World) -> list[str]:
    return [call for call in world.calls if call in ("abort", "replace", "write_stamp", "retire")]


# Overtaken while an operation of ours is under way.


def overtakes(world: World) -> Callable[[], None]:
    """Another run holds the lease from now on, and lets what is under way go on."""

    def write() -> None:
        world.memory.stamp = world.memory.stamp.model_copy(update={"epoch": 9})
        world.memory.version += 1

    return write


def test_overtaken_while_our_operation_is_under_way_is_22_because_the_platform_will_bring_it(
    replacing: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overtaken, "OTHER_RUN", 0.0)
    replacing.release("one")
    replacing.around = afterwards("replace", overtakes(replacing))
    with pytest.raises(NotPutBack, match="what it had brought may still have traffic") as caught:
        replacing.release("slow", "never-ready")
    assert (caught.value.exit_code, caught.value.cause) == (22, "overtaken")
    assert replacing.memory.in_flight is not None


def test_overtaken_by_a_run_that_ends_our_operation_before_traffic_moved_is_20(replacing: World) -> None:
    replacing.release("one")

    def another_run_ends_it() -> None:
        overtakes(replacing)()
        replacing.memory.set_weights({"web-1": 100})
        replacing.memory.in_flight = None

    replacing.around = afterwards("replace", another_run_ends_it)
    with pytest.raises(RolloutFailed, match="overtaken before traffic moved") as caught:
        replacing.release("slow", "never-ready")
    assert (caught.value.exit_code, replacing.serves) == (20, {"one": 100})


# A release that is refused ends nobody's operation.


def test_an_older_commit_is_refused_before_an_operation_is_ended(replacing: World) -> None:
    stuck_in_an_operation(replacing)
    with pytest.raises(PolicyError, match="is older than what serves") as caught:
        replacing.release("old", commit="b" * 40, commit_time=1000)
    assert (caught.value.exit_code, writes(replacing)) == (16, [])


def test_what_is_quarantined_is_refused_before_an_operation_is_ended(replacing: World) -> None:
    replacing.release("one")
    replacing.release("bad")
    replacing.rollback()
    stuck_in_an_operation(replacing)
    with pytest.raises(PolicyError, match="quarantined here") as caught:
        replacing.release("bad")
    assert (caught.value.exit_code, writes(replacing)) == (16, [])


def test_drift_is_refused_before_an_operation_is_ended(replacing: World) -> None:
    stuck_in_an_operation(replacing)
    replacing.place.drift()
    with pytest.raises(DriftError):
        replacing.release("three")
    assert writes(replacing) == []


def test_refused_after_an_operation_was_ended_is_20_and_says_so(replacing: World) -> None:
    stuck_in_an_operation(replacing)
    replacing.ledger = Unreachable(replacing.ledger, after=2)  # lease, state
    with pytest.raises(RolloutFailed, match=r"does not answer; before that, .* was ended") as caught:
        replacing.release("three")
    assert (caught.value.exit_code, caught.value.cause) == (20, "ledger")
    assert (writes(replacing), replacing.serves) == (["abort"], {"one": 100})


def test_when_nothing_can_be_read_after_an_operation_was_ended_a_person_is_needed(replacing: World) -> None:
    stuck_in_an_operation(replacing)

    def around(name: str, call: Callable[[], Any]) -> Any:
        if name == "observe" and "abort" in replacing.calls:
            raise Transient("timeout")
        return call()

    replacing.around = around
    with pytest.raises(NotPutBack, match="was requested, and what serves now could not be read: timeout") as caught:
        replacing.release("three")
    assert (caught.value.exit_code, caught.value.cause) == (22, "unconfirmed")


def test_an_operation_that_cannot_be_ended_leaves_everything_as_it_was(replacing: World) -> None:
    stuck_in_an_operation(replacing)
    replacing.around = failing("abort", Denied("not yours"))
    with pytest.raises(CredentialsError, match="not yours"):
        replacing.release("three")


# An operation that takes a while to end.


def undoing(looks: int) -> Around:
    """After an abort the platform shows an operation for so many looks more."""
    left = 0

    def around(name: str, call: Callable[[], Any]) -> Any:
        nonlocal left
        result = call()
        if name == "abort":
            left = looks
        if name == "observe" and left:
            left -= 1
            return result.model_copy(update={"in_flight": "undoing"})
        return result

    return around


def test_an_operation_may_take_a_while_to_end(replacing: World) -> None:
    replacing.release("one")
    replacing.around = undoing(3)
    with pytest.raises(RolloutFailed) as caught:
        replacing.release("two", "crash-loop")
    assert (caught.value.exit_code, caught.value.cause, replacing.serves) == (20, "crashed", {"one": 100})


def test_an_operation_that_does_not_end_is_named(replacing: World) -> None:
    replacing.release("one")
    replacing.around = undoing(10_000)
    with pytest.raises(NotPutBack, match="expected web-1 100 %, found web-1 100 %, and undoing under way"):
        replacing.release("two", "crash-loop")
