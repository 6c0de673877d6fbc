"""The first failure cancels the others, is raised as it is, and nobody waits for ever."""

from __future__ import annotations

import threading
import time

import pytest

from shipper.errors import (
    BugError,
    BuildError,
    Interrupted,
    NotPutBack,
    PolicyError,
    RolloutFailed,
    ScannerError,
    UnreachableError,
)
from shipper.model import Evidence, Remark, StageFinished
from shipper.model.all import All
from shipper.model.context import Cancellation
from shipper.pipeline import assemble
from shipper.pipeline.cancellation import interrupted
from shipper.pipeline.stage import stage
from tests.unit.pipeline.kitchen import ABOUT, Bread, Dough, Flour, Kitchen, Tasting, Weighing

pytestmark = pytest.mark.unit


def finish(evidence: All[Evidence]) -> Bread:
    return Bread(text="never")


def patient(flour: Flour, cancel: Cancellation) -> Weighing:
    """Works until it is cancelled."""
    assert cancel.wait(10)
    cancel.check()
    raise AssertionError


def side_by_side(*stages: object) -> object:
    return assemble("side by side", goal=Bread, seeds=[Flour], stages=[*stages, finish])  # type: ignore[list-item]


def test_the_first_failure_cancels_the_others_and_is_raised_itself() -> None:
    failure = ScannerError("the database is too old", hint="update it")

    def fail(flour: Flour) -> Tasting:
        raise failure

    kitchen = Kitchen()
    with pytest.raises(ScannerError) as caught:
        kitchen.cook(side_by_side(patient, fail), Flour())  # type: ignore[arg-type]

    assert caught.value is failure
    assert kitchen.endings() == {"fail": "failed", "patient": "cancelled"}


def test_the_neighbours_learn_the_neighbours_reason() -> None:
    seen: list[BaseException] = []

    def fail(flour: Flour) -> Tasting:
        raise PolicyError("too large")

    def curious(flour: Flour, cancel: Cancellation) -> Weighing:
        cancel.wait(10)
        try:
            cancel.check()
        except PolicyError as error:
            seen.append(error)
            raise
        raise AssertionError

    with pytest.raises(PolicyError, match="too large"):
        Kitchen().cook(side_by_side(curious, fail), Flour())  # type: ignore[arg-type]

    assert str(seen[0]) == "too large"


def test_a_stage_that_fails_because_it_was_cancelled_is_not_the_failure() -> None:
    def fail(flour: Flour) -> Tasting:
        raise ScannerError("the real one")

    def builder(flour: Flour, cancel: Cancellation) -> Weighing:
        cancel.wait(10)
        raise BuildError("killed by a signal")

    kitchen = Kitchen()
    with pytest.raises(ScannerError, match="the real one"):
        kitchen.cook(side_by_side(builder, fail), Flour())  # type: ignore[arg-type]

    assert kitchen.endings()["builder"] == "cancelled"


def test_what_was_not_foreseen_is_a_bug_with_its_cause() -> None:
    def clumsy(flour: Flour) -> Bread:
        raise ZeroDivisionError("oops")

    with pytest.raises(BugError, match="clumsy failed in a way that shipper did not foresee") as caught:
        Kitchen().cook(assemble("x", goal=Bread, seeds=[Flour], stages=[clumsy]), Flour())

    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert caught.value.exit_code == 70


def test_where_traffic_may_have_moved_a_bug_means_that_a_person_is_needed() -> None:
    @stage(unfinished=NotPutBack)
    def move(flour: Flour) -> Bread:
        raise ZeroDivisionError("oops")

    with pytest.raises(NotPutBack, match="did not foresee") as caught:
        Kitchen().cook(assemble("x", goal=Bread, seeds=[Flour], stages=[move]), Flour())

    assert caught.value.exit_code == 22
    assert caught.value.cause == "bug"


def test_a_stage_that_returns_something_else_is_a_bug() -> None:
    def liar(flour: Flour) -> Bread:
        return Dough(grams=1)  # type: ignore[return-value]

    with pytest.raises(BugError, match="returned Dough instead of Bread"):
        Kitchen().cook(assemble("x", goal=Bread, seeds=[Flour], stages=[liar]), Flour())


def test_a_stage_that_takes_too_long_is_cancelled_and_named() -> None:
    @stage(timeout=0.05, unfinished=ScannerError)
    def slow(flour: Flour, cancel: Cancellation) -> Bread:
        cancel.wait(10)
        cancel.check()
        raise AssertionError

    with pytest.raises(ScannerError, match=r"slow did not end within 0\.05 s"):
        Kitchen().cook(assemble("x", goal=Bread, seeds=[Flour], stages=[slow]), Flour())


def test_a_stage_that_cannot_be_stopped_is_left_behind_and_told() -> None:
    released = threading.Event()

    @stage(timeout=0.05)
    def deaf(flour: Flour) -> Bread:
        released.wait(30)
        return Bread(text="much too late")

    kitchen = Kitchen()
    started = time.monotonic()
    with pytest.raises(UnreachableError, match="deaf did not end within"):
        kitchen.cook(assemble("x", goal=Bread, seeds=[Flour], stages=[deaf]), Flour(), patience=0.1)
    released.set()

    assert time.monotonic() - started < 5
    assert kitchen.told.of(Remark)[0].text == "deaf did not stop when it was told to; it was left behind"


def test_cancelled_from_outside_ends_with_the_outer_reason() -> None:
    kitchen = Kitchen()
    threading.Timer(0.05, kitchen.cancel.cancel, [interrupted()]).start()

    with pytest.raises(Interrupted) as caught:
        kitchen.cook(assemble("x", goal=Weighing, seeds=[Flour], stages=[patient]), Flour())

    assert caught.value.exit_code == 130
    assert kitchen.endings() == {"patient": "cancelled"}


def test_not_put_back_outranks_that_somebody_interrupted() -> None:
    @stage(unfinished=NotPutBack)
    def move(flour: Flour, cancel: Cancellation) -> Bread:
        cancel.wait(10)
        raise NotPutBack("the platform refused", hint="look at it")

    kitchen = Kitchen()
    threading.Timer(0.05, kitchen.cancel.cancel, [interrupted()]).start()

    with pytest.raises(NotPutBack, match="the platform refused"):
        kitchen.cook(assemble("x", goal=Bread, seeds=[Flour], stages=[move]), Flour())


def test_put_back_after_an_interruption_is_an_interruption() -> None:
    def move(flour: Flour, cancel: Cancellation) -> Bread:
        cancel.wait(10)
        raise RolloutFailed("what served before still does")

    kitchen = Kitchen()
    threading.Timer(0.05, kitchen.cancel.cancel, [interrupted()]).start()

    with pytest.raises(Interrupted):
        kitchen.cook(assemble("x", goal=Bread, seeds=[Flour], stages=[move]), Flour())


def test_a_rollout_that_cannot_be_stopped_in_time_needs_a_person() -> None:
    released = threading.Event()

    @stage(unfinished=NotPutBack)
    def move(flour: Flour) -> Bread:
        released.wait(30)
        return Bread(text="")

    kitchen = Kitchen()
    threading.Timer(0.05, kitchen.cancel.cancel, [interrupted()], {"within": 0.2}).start()

    with pytest.raises(NotPutBack, match="was left behind") as caught:
        kitchen.cook(assemble("x", goal=Bread, seeds=[Flour], stages=[move]), Flour())
    released.set()

    assert "shipper status" in caught.value.hint


def moved_while_interrupted(kitchen: Kitchen) -> object:
    def move(flour: Flour) -> Dough:
        """Too late to stop: it has happened when the signal comes."""
        kitchen.cancel.cancel(interrupted())
        return Dough(grams=1)

    return move


def test_what_was_done_is_recorded_although_somebody_interrupted() -> None:
    kitchen = Kitchen()

    @stage(even_if_cancelled=True)
    def record(dough: Dough) -> Bread:
        return Bread(text="recorded")

    pipeline = assemble("x", goal=Bread, seeds=[Flour], stages=[moved_while_interrupted(kitchen), record])  # type: ignore[list-item]

    assert kitchen.cook(pipeline, Flour()) == Bread(text="recorded")


def test_without_that_nothing_starts_after_an_interruption() -> None:
    kitchen = Kitchen()

    def more(dough: Dough) -> Bread:
        raise AssertionError("started")

    pipeline = assemble("x", goal=Bread, seeds=[Flour], stages=[moved_while_interrupted(kitchen), more])  # type: ignore[list-item]

    with pytest.raises(Interrupted):
        kitchen.cook(pipeline, Flour())


def test_timings_are_there_after_a_failure_too() -> None:
    def weigh(flour: Flour) -> Weighing:
        return Weighing(subject=ABOUT, status="passed")

    def fail(weighing: Weighing) -> Bread:
        raise BuildError("no")

    kitchen = Kitchen()
    with pytest.raises(BuildError):
        kitchen.cook(assemble("x", goal=Bread, seeds=[Flour], stages=[weigh, fail]), Flour())

    assert set(kitchen.events.timings) == {"weigh", "fail"}
    assert [event.summary for event in kitchen.told.of(StageFinished) if event.status == "failed"] == ["no"]
