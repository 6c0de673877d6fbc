"""Waiting with an eye on the clock and on cancellation: no call that blocks keeps putting back from starting."""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TypeVar

from shipper.errors import RolloutFailed
from shipper.model.context import Cancellation, Clock
from shipper.model.quantities import show_duration

Result = TypeVar("Result")

POLL = 0.05
"""Seconds between two looks at the cancellation while a call is under way: everything of ours asks within 0.2 s."""

WRITE_GRACE = 0.7
"""Seconds that a write under way may still take once the run was cancelled. Putting back is issued within 2 s of the
signal (design.md section 5): what remains is for one observation, and for a silent ledger that is asked about our lease
(`Timings.answer`, 1 s)."""

PUTTING_BACK = 60.0
"""Seconds for putting back when nobody waits with a SIGKILL: as long as a platform may need to answer again."""

LAST_WORDS = 0.3
"""Seconds of what remains after a signal that are left for telling what serves."""

FOR_THE_RECORD = 1.5
"""Seconds of what remains after a signal that clearing away leaves for telling how it ended."""


class OutOfTime(Exception):
    """The seconds for putting back have ended."""


@dataclass(frozen=True)
class Patience:
    """How long to wait: `check` raises when it is over, `sleep` waits at most so many seconds."""

    check: Callable[[], None]
    sleep: Callable[[float], object]
    grace: float = 0.0

    def wait(self, seconds: float) -> None:
        """At most `seconds`; raises what `check` raises."""
        self.sleep(seconds)
        self.check()

    def read(self, call: Callable[[], Result]) -> Result:
        """`call()`, left behind as soon as patience is over: a read changes nothing."""
        return abandonable(call, self.check)

    def write(self, call: Callable[[], Result]) -> Result:
        """`call()`, left behind `grace` seconds after patience is over: it may still be carried out later."""
        return abandonable(call, self.check, self.grace)


def rollout_patience(cancel: Cancellation, clock: Clock, seconds: float) -> Patience:
    """Until the run is cancelled, or `seconds` (`[rollout] deadline`) have passed: RolloutFailed, cause "deadline"."""
    deadline = clock.monotonic() + seconds

    def check() -> None:
        cancel.check()
        if clock.monotonic() >= deadline:
            raise RolloutFailed(
                f"the rollout took longer than its deadline of {show_duration(seconds)}",
                hint="look at what took so long, or raise deadline under [rollout]",
                cause="deadline",
            )

    return Patience(check=check, sleep=cancel.wait, grace=WRITE_GRACE)


def last_patience(
    cancel: Cancellation, clock: Clock, *, seconds: float = PUTTING_BACK, keep: float = LAST_WORDS
) -> Patience:
    """For what must be done although the run is cancelled: OutOfTime after `seconds`, or when `keep` seconds remain."""
    deadline = clock.monotonic() + seconds

    def check() -> None:
        left = cancel.remaining
        if clock.monotonic() >= deadline or (left is not None and left <= keep):
            raise OutOfTime

    return Patience(check=check, sleep=time.sleep)


def abandonable(call: Callable[[], Result], check: Callable[[], None], grace: float = 0.0) -> Result:
    """`call()` in a thread of its own, left behind once `check()` has raised for `grace` seconds.

    What `call` raises is raised here; so is what `check` raises when it ends the waiting.
    """
    outcome: Future[Result] = Future()
    context = contextvars.copy_context()
    thread = threading.Thread(target=_work, args=(outcome, context, call), name="shipper-call", daemon=True)
    thread.start()
    over: float | None = None
    while not _ended(thread):
        try:
            check()
        except BaseException:
            over = time.monotonic() if over is None else over
            if time.monotonic() - over >= grace:
                raise
    return outcome.result()


def _ended(thread: threading.Thread) -> bool:
    thread.join(POLL)
    return not thread.is_alive()


def _work(outcome: Future[Result], context: contextvars.Context, call: Callable[[], Result]) -> None:
    try:
        outcome.set_result(context.run(call))
    except BaseException as error:  # noqa: BLE001 - whatever it is, the waiting thread raises it
        outcome.set_exception(error)
