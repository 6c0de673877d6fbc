"""What a short-lived command need not pay for: about 60 ms of the 400 that imports take (benchmarks/cloudrun.py)."""

from __future__ import annotations

import gc
import sys

ALLOCATIONS = 50_000
"""Objects that are made before the collector looks for cycles; Python's own 700 make it look hundreds of times while
modules are imported, which are never garbage."""


def start_lean() -> None:
    """For the process of a command, not for a library: call it before anything heavy is imported."""
    gc.set_threshold(ALLOCATIONS)
    # httpx imports its own command line when it can, with rich and Pygments below it; None is Python's own way to say
    # that a module cannot be imported (docs.python.org, The import system, 5.3.1), which httpx takes well.
    sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]
