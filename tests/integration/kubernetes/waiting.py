"""Waiting for what a controller does: never a sleep in a test."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


def until(holds: Callable[[], bool], seconds: float = 30.0) -> None:
    """Return as soon as it is true; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.05)


@contextmanager
def first_time(holds: Callable[[], bool]) -> Iterator[list[float]]:
    """While the block runs, when it is first true: seconds of the monotonic clock, one or none."""
    found: list[float] = []
    ended = threading.Event()

    def look() -> None:
        while not ended.is_set() and not found:
            if holds():
                found.append(time.monotonic())
            ended.wait(0.05)

    looking = threading.Thread(target=look, daemon=True)
    looking.start()
    try:
        yield found
    finally:
        ended.set()
        looking.join(10)
