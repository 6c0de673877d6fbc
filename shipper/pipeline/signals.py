"""Signals become a cancellation: SIGINT 130, SIGTERM and SIGHUP 143, SIGTERM after SIGINT shortens the deadline.

A handler that runs between two byte codes of the main thread must take no lock that this thread may hold. So the
interpreter writes the signal's number to a pipe (at C level, whatever the main thread is doing), and a thread of
ours reads it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType

from shipper import processes
from shipper.errors import Interrupted, ShipperError
from shipper.pipeline.cancellation import (
    SIGNAL_DEADLINE,
    TERMINATION_DEADLINE,
    RunCancellation,
    interrupted,
    terminated,
)

_WATCHED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_LEFT = "\nshipper left at once; nothing that affects traffic was under way\n"
_LEFT_BEHIND = "\nshipper left at once and does not know what serves: see `shipper status`, or `shipper rollback`\n"


@contextlib.contextmanager
def install_signals(cancellation: RunCancellation) -> Iterator[RunCancellation]:
    """Route signals to `cancellation` while the block runs. Only the main thread can: elsewhere nothing is changed.

    A second SIGINT from a terminal leaves at once, killing our children: with 130, or with what is left unfinished
    (22, 24: design.md section 5).
    """
    if threading.current_thread() is not threading.main_thread():
        yield cancellation
        return
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    before = {number: signal.signal(number, _noted) for number in _WATCHED}
    # Inherited as "ignored" from some parents; then nobody could learn how a child ended.
    before[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    previous_fd = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    watcher = threading.Thread(target=_watch, args=(reading, cancellation), name="shipper-signals", daemon=True)
    watcher.start()
    try:
        yield cancellation
    finally:
        signal.set_wakeup_fd(previous_fd)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(writing)  # the watcher reads the end of the pipe
        watcher.join(1.0)


def _noted(number: int, frame: FrameType | None) -> None:
    """The pipe has it already."""


def _watch(reading: int, cancellation: RunCancellation) -> None:
    interrupts = 0
    signals = 0
    with os.fdopen(reading, "rb", buffering=0) as pipe:
        while received := pipe.read(1):
            number = received[0]
            interrupts += number == signal.SIGINT
            signals += 1
            if number == signal.SIGINT and interrupts > 1 and sys.stdin is not None and sys.stdin.isatty():
                _leave(cancellation.left_now)
            elif number in _WATCHED:
                _cancel(cancellation, number, first=signals == 1)


def _cancel(cancellation: RunCancellation, number: int, *, first: bool) -> None:
    """In a thread of its own: a callback that blocks must not keep us from hearing the next signal."""
    within = SIGNAL_DEADLINE if first or number == signal.SIGINT else TERMINATION_DEADLINE
    error = interrupted() if number == signal.SIGINT else terminated()
    threading.Thread(
        target=cancellation.cancel, args=(error,), kwargs={"within": within}, name="shipper-cancel", daemon=True
    ).start()


def _leave(meaning: type[ShipperError]) -> None:
    processes.kill_all()
    show_cursor = "\x1b[?25h" if sys.stderr.isatty() else ""
    with contextlib.suppress(OSError):
        os.write(2, (show_cursor + (_LEFT if meaning is Interrupted else _LEFT_BEHIND)).encode())
    os._exit(meaning.code)
