"""Rolling: targets that move the traffic by themselves when a release is applied."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from shipper.errors import Interrupted, LockedError, PolicyError, PutBack, RolloutFailed
from shipper.rollout import putting_back
from tests.unit.rollout.world import World, afterwards

pytestmark = pytest.mark.unit


class Killed(BaseException):
    pass


def dies_after(name: str) -> Callable[[str, Callable[[], Any]], Any]:
    dead = False

    def around(called: str, call: Callable[[], Any]) -> Any:
        nonlocal dead
        if dead:
            raise Killed
        result = call()
        if called == name:
            dead = True
            raise Killed
        return result

    return around


def test_a_release_is_applied_and_followed_until_it_serves(replacing: World) -> None:
    replacing.release("one")
    deployment = replacing.release("two")
    assert (deployment.revision, deployment.verdict.proof) == ("web-2", "identity")
    assert replacing.serves == {"two": 100}
    assert replacing.ledger.release(2).strategy == "rolling"


def test_one_that_crashes_is_aborted_and_traffic_never_moved(replacing: World) -> None:
    replacing.release("one")
    with pytest.raises(RolloutFailed) as caught:
        replacing.release("two", "crash-loop")
    assert (caught.value.exit_code, replacing.serves) == (20, {"one": 100})
    assert replacing.memory.in_flight is None
    assert "abort" in replacing.calls


def test_one_that_answers_wrongly_is_replaced_by_the_record_of_what_served(replacing: World) -> None:
    replacing.release("one")
    replacing.sets(smoke={"requests": [{"name": "predict", "method": "POST", "path": "/"}]})
    with pytest.raises(PutBack, match="predict: answered 500") as caught:
        replacing.release("two", "failing")
    assert (caught.value.exit_code, replacing.serves) == (21, {"one": 100})
    assert replacing.calls.count("replace") == 2


def test_what_is_put_back_has_as_long_as_a_start_may_take(replacing: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight looks of ten seconds each: longer than a platform may be silent, shorter than [health] startup."""
    monkeypatch.setattr(putting_back, "LOOK", 0.0)
    replacing.release("one")
    replacing.sets(smoke={"requests": [{"name": "predict", "method": "POST", "path": "/"}]}, health={"startup": 120})
    looks = 0

    def slow(name: str, call: Callable[[], Any]) -> Any:
        nonlocal looks
        found = call()
        if name != "observe" or replacing.calls.count("replace") < 2 or looks >= 8:
            return found
        looks, replacing.clock.time = looks + 1, replacing.clock.time + 10
        return found.model_copy(update={"in_flight": "the way back"})

    replacing.around = slow
    with pytest.raises(PutBack):
        replacing.release("two", "failing")
    assert looks == 8
    assert "waiting for the way back to end: web-1 100 %" in replacing.told.texts


def test_a_first_release_that_answers_wrongly_leaves_nothing_and_says_so(replacing: World) -> None:
    replacing.sets(smoke={"requests": [{"name": "predict", "method": "POST", "path": "/"}]})
    with pytest.raises(PutBack, match=r"predict: answered 500, expected 2xx; nothing serves, as before$"):
        replacing.release("one", "failing")
    assert replacing.serves == {}


def test_interrupted_in_the_middle_of_it_what_served_serves(replacing: World) -> None:
    replacing.release("one")
    replacing.around = afterwards("replace", replacing.cancelled_by().interrupt)
    with pytest.raises(Interrupted):
        replacing.release("two")
    assert (replacing.serves, replacing.memory.in_flight) == ({"one": 100}, None)


def test_an_operation_of_the_same_release_is_taken_up_after_a_death(replacing: World) -> None:
    replacing.release("one")
    replacing.around = dies_after("replace")
    with pytest.raises(Killed):
        replacing.release("two")
    assert replacing.memory.in_flight is not None
    deployment = replacing.release("two")
    assert (deployment.number, replacing.serves) == (2, {"two": 100})
    assert "replace" not in replacing.calls
    assert replacing.outcomes == ["verified", "verified"]


def test_an_operation_of_another_dead_release_is_ended_first(replacing: World) -> None:
    replacing.release("one")
    replacing.around = dies_after("replace")
    with pytest.raises(Killed):
        replacing.release("stuck", "never-ready")
    assert replacing.release("three").changed
    assert replacing.serves == {"three": 100}
    assert any("it is ended first" in remark for remark in replacing.told.remarks)


def test_an_operation_of_nobody_we_know_is_refused_by_a_release(replacing: World) -> None:
    replacing.release("one")
    replacing.memory.in_flight = "theirs"
    with pytest.raises(LockedError, match="an operation is in flight on the target: theirs"):
        replacing.release("two")


def test_a_rollback_ends_an_operation_stays_on_what_served_and_quarantines_what_was_coming(replacing: World) -> None:
    replacing.release("one")
    replacing.release("two")
    replacing.around = dies_after("replace")
    with pytest.raises(Killed):
        replacing.release("stuck", "never-ready")
    deployment = replacing.rollback()
    assert (deployment.number, deployment.rollback_to, replacing.serves) == (4, 2, {"two": 100})
    assert (replacing.memory.in_flight, replacing.there) == (None, ["(one)", "two"])
    with pytest.raises(PolicyError):
        replacing.release("stuck", "never-ready")


def test_a_rollback_applies_the_release_of_then(replacing: World) -> None:
    replacing.release("one")
    replacing.release("two")
    assert replacing.rollback().rollback_to == 1
    assert replacing.serves == {"one": 100}
