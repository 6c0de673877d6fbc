"""Go's durations, in which Knative's annotations are written: "90s", "1m30s". Pure."""

from __future__ import annotations

import math
import re

_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|µs|ms|s|m|h)")
_LONGEST = 2**63 / 1e9
"""Go counts nanoseconds in 64 bits."""

_WHOLE = re.compile(rf"[+-]?(?:{_PART.pattern})+")


def go_duration(seconds: float) -> str:
    """Whole seconds, rounded up: more precision is refused."""
    return f"{math.ceil(seconds)}s"


def seconds_in(text: str) -> float | None:
    """Seconds of a duration as Go's time.ParseDuration reads it; None when it is none."""
    if text.lstrip("+-") == "0":
        return 0.0
    if not _WHOLE.fullmatch(text):
        return None
    found = sum(float(amount) * _UNITS[unit] for amount, unit in _PART.findall(text))
    if found > _LONGEST:
        return None
    return -found if text.startswith("-") else found
