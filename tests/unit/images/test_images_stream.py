"""Following a blocking stream."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

import pytest

from shipper.errors import Interrupted
from shipper.images.stream import awaited, follow, in_blocks

pytestmark = pytest.mark.unit


class Switch:
    """A cancellation that a test throws by hand."""

    remaining: float | None = None

    def __init__(self) -> None:
        self._thrown = threading.Event()

    @property
    def cancelled(self) -> bool:
        return self._thrown.is_set()

    def throw(self) -> None:
        self._thrown.set()

    def check(self) -> None:
        if self.cancelled:
            raise Interrupted("stopped")

    def wait(self, seconds: float) -> bool:
        return self._thrown.wait(seconds)

    def on_cancel(self, callback: Callable[[], None]) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()


def test_items_come_in_order_and_the_end_is_seen() -> None:
    assert list(follow(lambda: range(100), Switch())) == list(range(100))


def test_what_the_stream_raises_is_raised_to_the_reader() -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise ValueError("the engine hung up")

    with pytest.raises(ValueError, match="hung up"):
        list(follow(broken, Switch()))


def test_a_silent_stream_does_not_hold_a_cancellation_up() -> None:
    switch, for_ever = Switch(), threading.Event()

    def silent() -> Iterator[int]:
        yield 1
        switch.throw()
        for_ever.wait(60)

    with pytest.raises(Interrupted):
        list(follow(silent, switch))
    for_ever.set()


def test_one_call_is_awaited_likewise() -> None:
    switch, for_ever = Switch(), threading.Event()

    def stuck() -> bool:
        switch.throw()
        return for_ever.wait(60)

    assert awaited(lambda: 42, switch) == 42
    with pytest.raises(Interrupted):
        awaited(stuck, switch)
    for_ever.set()


def test_small_chunks_are_put_together() -> None:
    assert [len(block) for block in in_blocks([b"x" * 3] * 10, 8)] == [9, 9, 9, 3]
