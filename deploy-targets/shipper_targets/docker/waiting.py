"""Waiting for what cannot be asked to stop: a pull, an answer. Whoever cancels meanwhile is heard at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from shipper.model.context import Cancellation

Result = TypeVar("Result")

LOOK_EVERY = 0.1
"""Seconds between two looks at the cancellation."""


def heard(cancel: Cancellation | None) -> Callable[[], None]:
    """A check that raises when the run is cancelled from now on; one that was already is putting things back."""
    if cancel is None or cancel.cancelled:
        return lambda: None
    return cancel.check


def patiently(
    call: Callable[[], Result], cancel: Cancellation | None, tell: Callable[[], None] | None = None
) -> Result:
    """`call()` in a thread of its own, left alone when the run is cancelled meanwhile; `tell` runs now and then."""
    check = heard(cancel)
    working = _Working(call)
    while not working.done.wait(LOOK_EVERY):
        check()
        if tell is not None:
            tell()
    return working.result()


class _Working(Generic[Result]):
    def __init__(self, call: Callable[[], Result]) -> None:
        self.done = threading.Event()
        self._call = call
        self._results: list[Result] = []
        self._error: BaseException | None = None
        threading.Thread(target=self._work, name="shipper-waiting", daemon=True).start()

    def result(self) -> Result:
        if self._error is not None:
            raise self._error
        return self._results[0]

    def _work(self) -> None:
        try:
            self._results.append(self._call())
        except BaseException as error:  # noqa: BLE001 - handed to who waits
            self._error = error
        self.done.set()
