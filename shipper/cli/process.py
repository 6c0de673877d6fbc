"""The process of a command: it starts and ends without what a short-lived one need not pay for.

Together that is a quarter of a second, a third of what a rollback spends in our own code (docs/performance.md).
"""

from __future__ import annotations

import atexit
import gc
import os
import sys
import threading
from contextlib import suppress
from typing import NoReturn

ALLOCATIONS = 50_000
"""Objects that are made before the collector looks for cycles; Python's own 700 make it look hundreds of times while
modules are imported, which are never garbage."""


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


def end(code: int) -> NoReturn:
    """As sys.exit: threads have ended, what was registered for the end is done, and what was said is written.

    But modules and objects are left to the kernel: taking them down takes Python 0.2 s. What cannot be written is told
    by Python's own end (120).
    """
    # In this order in Py_FinalizeEx. Both are private: there is no public way to end without taking down.
    with suppress(KeyboardInterrupt):  # nothing is left to be interrupted but this wait
        threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    try:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:  # closed by whoever called us (`>&-`)
                stream.flush()
    except OSError:
        sys.exit(code)
    os._exit(code)
