"""What a short-lived command need not pay for: a quarter of a second of a rollback's (docs/performance.md)."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager

ALLOCATIONS = 50_000
"""Objects that are made before the collector looks for cycles; Python's own 700 make it look hundreds of times while
modules are imported, which are never garbage."""


@contextmanager
def lean() -> Iterator[None]:
    """Around the work of a command's process, before anything heavy is imported; not for a library."""
    gc.set_threshold(ALLOCATIONS)
    # httpx imports its own command line when it can, with rich and Pygments below it; None is Python's own way to say
    # that a module cannot be imported (docs.python.org, The import system, 5.3.1), which httpx takes well.
    sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]
    try:
        yield
    finally:
        gc.freeze()  # else Python looks through everything once more at its end, which frees what the kernel frees
