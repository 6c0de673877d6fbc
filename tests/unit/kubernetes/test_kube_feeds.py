"""Keeping up with lists: what ends at once is not asked for again at once; many calls are made a few at a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from shipper_targets.kubernetes.api import Listed
from shipper_targets.kubernetes.feeds import FIRST_WAIT, Feed, Feeds
from shipper_targets.kubernetes.kinds import POD
from shipper_targets.kubernetes.kube_errors import Gone
from shipper_targets.kubernetes.parallel import MOST, at_once

pytestmark = pytest.mark.unit


class NoStream:
    """An API server behind something that does not stream: every watch ends as soon as it has begun."""

    def __init__(self, until: int) -> None:
        self.moments: list[float] = []
        self.enough = threading.Event()
        self._until = until

    def list(self, *_: Any, **__: Any) -> Listed:
        return Listed((), "1")

    def watch(self, *_: Any, **__: Any) -> NoStream:
        self.moments.append(time.monotonic())
        if len(self.moments) >= self._until:
            self.enough.set()
        return self

    def __iter__(self) -> Iterator[Any]:
        return iter(())

    def close(self) -> None:
        """There is nothing to close."""


def test_a_watch_that_ends_at_once_is_not_begun_again_at_once() -> None:
    api = NoStream(until=3)
    with Feeds(api) as feeds:  # type: ignore[arg-type]
        feeds.start(Feed(POD))
        assert api.enough.wait(10.0)

    first, second, third = api.moments[:3]
    assert second - first >= FIRST_WAIT
    assert third - second >= 2 * FIRST_WAIT


class TooOld(NoStream):
    """An API server behind a cache: what it has listed just now is too old to be watched."""

    def watch(self, *_: Any, **__: Any) -> NoStream:
        super().watch()
        raise Gone("too old resource version")


def test_a_watch_that_is_too_old_right_after_its_list_is_begun_less_and_less_often() -> None:
    api = TooOld(until=4)
    with Feeds(api) as feeds:  # type: ignore[arg-type]
        feeds.start(Feed(POD))
        assert api.enough.wait(10.0)

    first, second, third, fourth = api.moments[:4]
    assert second - first < FIRST_WAIT, "once is nothing: it is listed again at once"
    assert third - second >= FIRST_WAIT
    assert fourth - third >= 2 * FIRST_WAIT


def test_many_calls_are_made_a_few_at_a_time_and_answered_in_their_order() -> None:
    lock, now, most = threading.Lock(), [0], [0]
    full = threading.Barrier(MOST)

    def call(number: int) -> int:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        full.wait(10.0)  # as many as may be are there at the same time
        with lock:
            now[0] -= 1
        return number

    assert at_once([partial(call, number) for number in range(3 * MOST)]) == list(range(3 * MOST))
    assert most == [MOST]


def test_the_first_error_is_raised_when_all_have_ended() -> None:
    ended = list[int]()

    def call(number: int) -> None:
        ended.append(number)
        if number in (3, 5):
            raise ValueError(str(number))

    with pytest.raises(ValueError, match="3"):
        at_once([partial(call, number) for number in range(40)])
    assert sorted(ended) == list(range(40))


def test_an_interruption_waits_for_nobody() -> None:
    """Python raises it in the caller alone, who is one of those at work."""
    answer = threading.Event()

    def call() -> None:
        if threading.current_thread() is threading.main_thread():
            raise KeyboardInterrupt
        answer.wait(20.0)

    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        at_once([call] * (3 * MOST))
    answer.set()
    assert time.monotonic() - started < 10.0
