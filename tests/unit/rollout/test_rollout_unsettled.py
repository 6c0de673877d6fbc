"""A platform that says what serves before it serves so: what it has not settled is neither done nor put back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from shipper.errors import NotPutBack, Transient
from shipper.rollout import verify
from tests.unit.rollout.world import World

pytestmark = pytest.mark.unit


@pytest.fixture(autouse=True)
def _no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify, "PATIENCE", 0.0)


def slow_to_settle(shifts: int) -> Callable[[str, Callable[[], Any]], Any]:
    """So many shifts are accepted, told as what serves, and not routed in time."""
    left = shifts
    unsettled = False

    def around(name: str, call: Callable[[], Any]) -> Any:
        nonlocal left, unsettled
        result = call()
        if name == "shift":
            unsettled = left > 0
            left -= 1
            if unsettled:
                raise Transient("it was accepted, and is not routed after 60 s")
        if name == "observe" and unsettled:
            return result.model_copy(update={"unsettled": "the routes of web"})
        return result

    return around


def test_what_was_not_settled_is_written_again(world: World) -> None:
    world.release("one")
    world.around = slow_to_settle(2)
    deployment = world.release("two")
    assert world.calls.count("shift") == 3
    assert (deployment.verdict.ok, world.serves) == (True, {"two": 100})


def test_what_never_settles_ends_with_a_person_and_not_with_0(world: World) -> None:
    world.release("one")
    world.around = slow_to_settle(10_000)
    with pytest.raises(NotPutBack) as caught:
        world.release("two")
    assert caught.value.exit_code == 22
    assert "verified" not in world.outcomes[1:]
