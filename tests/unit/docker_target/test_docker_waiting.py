"""Waiting for what cannot be asked to stop."""

from __future__ import annotations

import threading

import pytest

from shipper.errors import Interrupted
from shipper.pipeline.cancellation import RunCancellation
from shipper_targets.docker.waiting import heard, patiently

pytestmark = pytest.mark.unit


def test_what_was_asked_for_comes_back_and_so_does_its_error() -> None:
    assert patiently(lambda: 42, None) == 42
    with pytest.raises(ZeroDivisionError):
        patiently(lambda: 1 / 0, RunCancellation())


def test_whoever_cancels_meanwhile_is_heard_at_once() -> None:
    cancel, never = RunCancellation(), threading.Event()
    with pytest.raises(Interrupted):
        patiently(lambda: never.wait(10), cancel, lambda: cancel.cancel(Interrupted("interrupted")))
    never.set()


def test_a_run_that_was_cancelled_before_is_putting_things_back() -> None:
    cancel = RunCancellation()
    cancel.cancel(Interrupted("interrupted"))
    heard(cancel)()
    assert patiently(lambda: "restored", cancel) == "restored"
