"""One cancellation per run, with scopes inside it: a stage's time-out, a failed neighbour, a signal."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator

from shipper.errors import Interrupted, NotPutBack, NotRecorded, ShipperError, Terminated
from shipper.model.context import Cancellation

_log = logging.getLogger(__name__)

SIGNAL_DEADLINE = 9.0
"""Seconds from the first signal to the end. CI kills the tree 10 s after its SIGINT (design.md section 5)."""

TERMINATION_DEADLINE = 2.0
"""Seconds left once SIGTERM follows SIGINT. CI kills the tree 2.5 s after its SIGTERM (design.md section 5)."""


class RunCancellation:
    """Implements shipper.model.context.Cancellation. Thread-safe; the first reason wins."""

    def __init__(self, parent: Cancellation | None = None) -> None:
        self._lock = threading.Lock()
        self._done = threading.Event()
        self._error: ShipperError | None = None
        self._deadline: float | None = None
        self._parent = parent
        self._callbacks: dict[object, _Callback] = {}
        self._begun: dict[object, type[ShipperError]] = parent._begun if isinstance(parent, RunCancellation) else {}

    @property
    def cancelled(self) -> bool:
        """True from the moment of cancellation on."""
        return self._error is not None

    @property
    def error(self) -> ShipperError | None:
        """The reason, once cancelled."""
        return self._error

    @property
    def remaining(self) -> float | None:
        """Seconds left for putting things back; None when nobody is waiting with a SIGKILL."""
        inherited = getattr(self._parent, "remaining", None)
        with self._lock:
            own = None if self._deadline is None else self._deadline - time.monotonic()
        known = [max(0.0, left) for left in (own, inherited) if left is not None]
        return min(known, default=None)

    def check(self) -> None:
        """Raise the reason when cancelled: Interrupted, Terminated, or the error of the neighbour that failed."""
        if self._error is not None:
            raise fresh(self._error)

    def wait(self, seconds: float) -> bool:
        """Sleep at most `seconds`; True as soon as cancelled."""
        return self._done.wait(max(0.0, seconds))

    def cancel(self, error: ShipperError, *, within: float | None = None) -> None:
        """Cancel with this reason. `within` seconds everything should have ended; a later call may only shorten it.

        Returns when the callbacks have run. Not for signal handlers: it takes locks (see `install_signals`).
        """
        with self._lock:
            self._shorten(within)
            if self._error is not None:
                return
            self._error = error
            callbacks = tuple(self._callbacks.values())
        self._done.set()
        for callback in callbacks:
            callback.call()

    @contextlib.contextmanager
    def on_cancel(self, callback: Callable[[], None]) -> Iterator[None]:
        """Call `callback` on cancellation while the block runs; at once if it was already.

        It is called at most once, from the cancelling thread, and never after the block has ended.
        """
        entry, token = _Callback(callback), object()
        with self._lock:
            self._callbacks[token] = entry
            late = self._error is not None
        if late:
            entry.call()
        try:
            yield
        finally:
            with self._lock:
                del self._callbacks[token]
            entry.retire()

    @contextlib.contextmanager
    def unfinished(self, meaning: type[ShipperError]) -> Iterator[None]:
        """While the block runs, an end of the process means this for what serves; for the parents as well."""
        token = object()
        self._begun[token] = meaning
        try:
            yield
        finally:
            del self._begun[token]

    @property
    def left_now(self) -> type[ShipperError]:
        """What it means when the process ends now. Takes no lock."""
        begun = tuple(self._begun.values())
        return next((meaning for meaning in (NotPutBack, NotRecorded) if meaning in begun), Interrupted)

    @contextlib.contextmanager
    def scope(self) -> Iterator[RunCancellation]:
        """A cancellation of its own inside this one: cancelled with it and for the same reason, or alone."""
        with inside(self) as scope:
            yield scope

    def _shorten(self, within: float | None) -> None:
        if within is not None:
            deadline = time.monotonic() + within
            self._deadline = deadline if self._deadline is None else min(self._deadline, deadline)


@contextlib.contextmanager
def inside(parent: Cancellation) -> Iterator[RunCancellation]:
    """A scope inside any cancellation."""
    scope = RunCancellation(parent)
    with parent.on_cancel(lambda: scope.cancel(reason_of(parent))):
        yield scope


def reason_of(cancellation: Cancellation) -> ShipperError:
    """Why it was cancelled. Interrupted when it does not say."""
    try:
        cancellation.check()
    except ShipperError as error:
        return error
    return Interrupted("interrupted")


def fresh(error: ShipperError) -> ShipperError:
    """The same error as a new object: one that several threads raised would carry all of their tracebacks."""
    copy = type(error).__new__(type(error))
    copy.args = error.args
    copy.__dict__.update(error.__dict__)
    copy.__cause__ = error.__cause__
    return copy


def interrupted() -> Interrupted:
    """The reason after SIGINT."""
    return Interrupted("interrupted", hint="`shipper status` shows what serves; release again when ready")


def terminated() -> Terminated:
    """The reason after SIGTERM."""
    return Terminated("terminated", hint="`shipper status` shows what serves; release again when ready")


class _Callback:
    """Called at most once; after `retire` it neither runs nor will run."""

    def __init__(self, function: Callable[[], None]) -> None:
        self._function = function
        self._lock = threading.RLock()  # a callback may leave its own block
        self._spent = False

    def call(self) -> None:
        with self._lock:
            if self._spent:
                return
            self._spent = True
            try:
                self._function()
            except Exception:  # noqa: BLE001 - it must not keep the others from stopping their children
                _log.exception("a cancellation callback failed")

    def retire(self) -> None:
        with self._lock:
            self._spent = True
