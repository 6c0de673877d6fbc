"""Two runs at one place: who has been overtaken writes nothing any more, and says what serves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from shipper.errors import NotPutBack, Overtaken, PutBack, RolloutFailed
from shipper.rollout import overtaken
from tests.unit.rollout.world import Unreachable, World, afterwards

pytestmark = pytest.mark.unit


def somebody_writes(world: World, epoch: int) -> Callable[[], None]:
    """A run under this epoch that we know nothing of."""

    def write() -> None:
        world.memory.stamp = world.memory.stamp.model_copy(update={"epoch": epoch})
        world.memory.version += 1

    return write


def serving(world: World, epoch: int, name: str) -> Callable[[], None]:
    def write() -> None:
        somebody_writes(world, epoch)()
        world.memory.set_weights({name: 100})

    return write


def test_overtaken_before_the_first_write_nothing_is_written(world: World) -> None:
    world.release("one")
    world.around = afterwards("observe", somebody_writes(world, 9), at=2)
    with pytest.raises(Overtaken, match="it had written nothing") as caught:
        world.release("two")
    assert caught.value.exit_code == 30
    assert world.there == ["one"]
    assert world.outcomes == ["verified", "overtaken"]


def test_the_same_epoch_from_another_ledger_is_another_run(world: World) -> None:
    world.release("one")
    world.around = afterwards("observe", somebody_writes(world, 2), at=2)
    with pytest.raises(Overtaken):
        world.release("two")
    assert world.there == ["one"]


def test_overtaken_before_traffic_moved_is_20(world: World) -> None:
    world.release("one")
    world.around = afterwards("create", somebody_writes(world, 9))
    with pytest.raises(RolloutFailed, match="overtaken before traffic moved") as caught:
        world.release("two")
    assert (caught.value.exit_code, caught.value.cause) == (20, "overtaken")
    assert world.serves == {"one": 100}
    assert "retire" not in world.calls


def test_overtaken_after_traffic_moved_and_moved_away_by_the_other_is_21(world: World) -> None:
    world.release("one")
    world.around = afterwards("shift", serving(world, 9, "web-1"))
    with pytest.raises(PutBack, match="what it had brought serves no more") as caught:
        world.release("two")
    assert (caught.value.exit_code, caught.value.cause) == (21, "overtaken")
    assert world.calls.count("shift") == 1


def test_overtaken_and_left_with_traffic_is_22(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overtaken, "OTHER_RUN", 0.0)
    world.release("one")
    world.around = afterwards("shift", somebody_writes(world, 9))
    with pytest.raises(NotPutBack, match="may still have traffic") as caught:
        world.release("two")
    assert (caught.value.exit_code, caught.value.cause) == (22, "overtaken")


def test_a_rollback_in_the_middle_of_a_canary_takes_over_and_the_canary_says_by_whom(world: World) -> None:
    world.sets(rollout={"strategy": "canary", "steps": [10, 50], "bake": 5})
    world.release("one")
    other = World(place=world.place, settings=world.settings, ledger=world.ledger, clock=world.clock)
    world.cancelled_by().meanwhile = [other.rollback]
    with pytest.raises(PutBack, match=r"overtaken by release #3 of ada@laptop; what it had brought serves no more"):
        world.release("two")
    assert world.serves == {"one": 100}
    assert [event["web-1"] for event in world.told.weights] == [90]
    assert world.memory.stamp.quarantined
    assert world.outcomes == ["verified", "overtaken", "verified"]


def test_a_rollback_that_seized_the_lease_passes_over_a_holder_that_has_not_noticed(world: World) -> None:
    world.release("one")
    world.release("two")
    world.memory.stamp = world.memory.stamp.model_copy(update={"epoch": 3})
    late = somebody_writes(world, 4)  # the release that holds epoch 4 writes once more
    world.around = afterwards("observe", late, at=2)
    taken = Taken(world.ledger, 5)
    world.ledger = taken
    assert world.rollback().rollback_to == 1
    assert world.serves == {"one": 100}
    assert world.memory.stamp.epoch == 5


def test_without_a_ledger_a_rollback_has_the_next_epoch(world: World) -> None:
    world.release("one")
    world.release("two")
    ledger, world.ledger = world.ledger, Unreachable(world.ledger)
    with pytest.raises(Exception, match="could not be recorded: the ledger's store does not answer"):
        world.rollback()
    assert (world.serves, world.memory.stamp.epoch) == ({"one": 100}, 3)
    world.ledger = ledger
    assert world.release("three").changed


class Taken:
    """A ledger whose next lease has this epoch."""

    def __init__(self, inner: Any, epoch: int) -> None:
        self._inner, self._epoch = inner, epoch

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def lease(self, *words: Any, **options: Any) -> Any:
        return self._inner.lease(*words, **{**options, "above": self._epoch - 1})
