"""`[rollout] before`: a command in the new image, and what becomes of the release when it fails."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from shipper.errors import Interrupted, RolloutFailed
from shipper.targets import RunsOnce
from tests.unit.rollout.world import World

pytestmark = pytest.mark.unit


def test_it_is_run_before_anything_of_the_release_is_there(world: World) -> None:
    world.sets(rollout={"before": ["exit", "0"]})
    world.release("one")
    assert isinstance(world.target(), RunsOnce)
    assert world.memory.ran == [("exit", "0")]
    assert world.calls.index("run_once") < world.calls.index("create")


def test_a_status_other_than_0_ends_the_release_and_nothing_is_made(world: World) -> None:
    world.release("one")
    world.sets(rollout={"before": ["exit", "3"]})
    with pytest.raises(RolloutFailed, match="exit 3 ended with status 3") as caught:
        world.release("two")
    assert (caught.value.exit_code, caught.value.cause) == (20, "before")
    assert (world.there, world.serves) == (["one"], {"one": 100})


def test_a_rollback_does_not_run_it(world: World) -> None:
    world.sets(rollout={"before": ["exit", "0"]})
    world.release("one")
    world.release("two")
    world.rollback()
    assert len(world.memory.ran) == 2
    assert world.serves == {"one": 100}


def test_where_a_release_replaces_it_is_the_same(replacing: World) -> None:
    replacing.sets(rollout={"before": ["exit", "1"]})
    with pytest.raises(RolloutFailed, match="status 1"):
        replacing.release("one")
    assert "replace" not in replacing.calls


def test_cancelled_it_has_the_time_to_end_what_it_has_begun(world: World) -> None:
    cancel, ended = world.cancelled_by(), list[str]()

    def around(name: str, call: Callable[[], Any]) -> Any:
        if name == "run_once":
            cancel.interrupt()
            threading.Event().wait(0.3)  # a platform that takes so long for a DELETE
            ended.append(name)
        return call()

    world.around = around
    world.sets(rollout={"before": ["exit", "0"]})
    with pytest.raises(Interrupted):
        world.release("one")
    assert ended == ["run_once"]
    assert world.there == []
