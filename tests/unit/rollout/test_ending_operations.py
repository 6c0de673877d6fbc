"""An operation that is to be ended may be called otherwise by then: its name has a number that each write changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from shipper.errors import LockedError, Transient
from shipper.model import Observation, Stamp, new_release_id
from shipper.targets.conformance.memory import Held
from shipper.targets.conformance.memory_replaces import ReplacingTarget, Rolling
from tests.unit.rollout.test_rollout_operations import stuck_in_an_operation, writes
from tests.unit.rollout.world import World

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
