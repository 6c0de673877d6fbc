"""One cancellation per run: the first reason wins, everybody hears it, nobody hears it twice."""

from __future__ import annotations

import threading

import pytest

from shipper.errors import BuildError, GateRefused, Interrupted, Terminated
from shipper.model.context import Cancellation
from shipper.pipeline import RunCancellation
from shipper.pipeline.cancellation import inside, interrupted, terminated

pytestmark = pytest.mark.unit


def test_it_is_what_stages_know_as_a_cancellation() -> None:
    assert isinstance(RunCancellation(), Cancellation)


def test_before() -> None:
    cancel = RunCancellation()

    cancel.check()
    assert not cancel.cancelled
    assert not cancel.wait(0)


def test_after() -> None:
    cancel = RunCancellation()

    cancel.cancel(interrupted())

    assert cancel.cancelled
    assert cancel.wait(60)
    with pytest.raises(Interrupted):
        cancel.check()


def test_the_first_reason_wins() -> None:
    cancel = RunCancellation()
    cancel.cancel(BuildError("first"))
    cancel.cancel(interrupted())

    with pytest.raises(BuildError, match="first"):
        cancel.check()


def test_every_check_raises_an_error_of_its_own_that_says_the_same() -> None:
    reason = GateRefused("no", [(12, "findings")], hint="mend it", details=["one"])
    cancel = RunCancellation()
    cancel.cancel(reason)

    for _ in range(2):
        with pytest.raises(GateRefused) as caught:
            cancel.check()
        assert caught.value is not reason
        assert (str(caught.value), caught.value.exit_code, caught.value.hint) == ("no", 12, "mend it")
        assert caught.value.details == ("one",)


def test_a_callback_is_called_once_and_only_inside_its_block() -> None:
    cancel, called = RunCancellation(), list[str]()
    with cancel.on_cancel(lambda: called.append("too early to be called")):
        pass
    with cancel.on_cancel(lambda: called.append("inside")):
        cancel.cancel(interrupted())
        cancel.cancel(terminated())

    assert called == ["inside"]


def test_a_callback_that_comes_late_is_called_at_once() -> None:
    cancel, called = RunCancellation(), list[str]()
    cancel.cancel(interrupted())

    with cancel.on_cancel(lambda: called.append("late")):
        assert called == ["late"]


def test_a_callback_that_fails_does_not_keep_the_others_from_being_called() -> None:
    cancel, called = RunCancellation(), list[str]()

    def fail() -> None:
        raise OSError("no such process")

    with cancel.on_cancel(fail), cancel.on_cancel(lambda: called.append("second")):
        cancel.cancel(interrupted())

    assert called == ["second"]


def test_leaving_the_block_waits_for_a_callback_that_is_under_way() -> None:
    cancel = RunCancellation()
    inside_callback, go_on, finished = threading.Event(), threading.Event(), list[bool]()

    def slow() -> None:
        inside_callback.set()
        go_on.wait(5)
        finished.append(True)

    with cancel.on_cancel(slow):
        threading.Thread(target=cancel.cancel, args=(interrupted(),)).start()
        assert inside_callback.wait(5)
        go_on.set()

    assert finished == [True]


def test_who_waits_is_woken() -> None:
    cancel, woken = RunCancellation(), list[bool]()
    waiting = threading.Thread(target=lambda: woken.append(cancel.wait(60)))
    waiting.start()

    cancel.cancel(interrupted())
    waiting.join(5)

    assert woken == [True]


def test_a_scope_is_cancelled_with_what_is_around_it_and_for_the_same_reason() -> None:
    outer = RunCancellation()
    with outer.scope() as scope, inside(scope) as innermost:
        outer.cancel(terminated())

        with pytest.raises(Terminated):
            innermost.check()


def test_a_scope_alone_does_not_cancel_what_is_around_it() -> None:
    outer = RunCancellation()
    with outer.scope() as scope, outer.scope() as neighbour:
        scope.cancel(BuildError("mine"))

        assert scope.cancelled
        assert not outer.cancelled
        assert not neighbour.cancelled


def test_sigterm_after_sigint_shortens_the_deadline_and_nothing_lengthens_it() -> None:
    outer = RunCancellation()
    with outer.scope() as scope:
        assert scope.remaining is None

        outer.cancel(interrupted(), within=9.0)
        assert 8.0 < (scope.remaining or 0) <= 9.0
        outer.cancel(terminated(), within=2.0)
        outer.cancel(terminated(), within=60.0)

        assert 1.0 < (scope.remaining or 0) <= 2.0
        with pytest.raises(Interrupted) as caught:
            scope.check()
        assert caught.value.exit_code == 130
