"""The clock of leases: it goes on while the machine sleeps, so that a lid that was closed for an hour is an hour."""

from __future__ import annotations

import time

# Linux's CLOCK_MONOTONIC stands still during suspend and CLOCK_BOOTTIME does not (clock_gettime(2)); on macOS
# CLOCK_MONOTONIC itself goes on (clock_gettime(3) there).
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class Ticking:
    """Implements shipper.model.context.Clock."""

    def now(self) -> float:
        """Unix seconds."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds since some moment, sleep included."""
        return time.clock_gettime(_CLOCK)
