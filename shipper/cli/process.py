"""The process of a command: it starts and ends without what a short-lived one need not pay for.

Together that is a quarter of a second, a third of what a rollback spends in our own code (docs/performance.md).
"""

from __future__ import annotations

import atexit
import gc
import os
import signal
import sys
import threading
from contextlib import suppress
from types import FrameType
from typing import NoReturn

ALLOCATIONS = 50_000
"""Objects that are made before the collector looks for cycles; Python's own 700 make it look hundreds of times while
modules are imported, which are never garbage."""

_ENDING = (signal.SIGTERM, signal.SIGHUP)
"""Where a run listens for these itself, it does (shipper.pipeline.signals)."""


def run() -> NoReturn:
    """The console script."""
    start()
    from shipper.cli.main import main

    end(main())


def start() -> None:
    """Before anything heavy is imported."""
    gc.set_threshold(ALLOCATIONS)
    # httpx imports its own command line when it can, with rich and Pygments below it; None is Python's own way to say
    # that a module cannot be imported (docs.python.org, The import system, 5.3.1), which httpx takes well.
    sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]
    for number in _ENDING:
        if signal.getsignal(number) is signal.SIG_DFL:  # `nohup` has it ignored
            signal.signal(number, _end_by)


def end(code: int) -> NoReturn:
    """As sys.exit: threads have ended, what was registered for the end is done, and what was said is written.

    But modules and objects are left to the kernel: taking them down takes Python 0.2 s. Output that cannot be written
    changes no code, which says what serves. No child is left behind.
    """
    # In this order in Py_FinalizeEx. Both are private: there is no public way to end without taking down.
    with suppress(KeyboardInterrupt):  # nothing is left to be interrupted but this wait
        threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    _kill_children()
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:  # closed by whoever called us (`>&-`)
                stream.flush()
        except OSError as error:
            with suppress(OSError):
                os.write(2, f"error: the output cannot be written: {error.strerror}\n".encode())
    os._exit(code)


def _end_by(number: int, frame: FrameType | None) -> None:
    """As the signal ends a process by itself, but for our children, which have a session of their own."""
    _kill_children()
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def _kill_children() -> None:
    """Only of a command that has had some: otherwise the module was never imported."""
    group = sys.modules.get("shipper.processes.group")
    if group is not None:
        group.kill_all()
