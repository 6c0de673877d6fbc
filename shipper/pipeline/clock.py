"""The clock that everybody else reads."""

from __future__ import annotations

import time


class WallClock:
    """Implements shipper.model.context.Clock."""

    def now(self) -> float:
        """Unix seconds."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds of a clock that never goes back."""
        return time.monotonic()
