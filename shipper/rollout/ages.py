"""Ages for people, in one unit: 40 s, 5 min, 2 h, 3 d."""

from __future__ import annotations


def show_age(seconds: float) -> str:
    """Rounded down to the largest unit that fits; a clock that is behind gives 0 s."""
    whole = max(0, int(seconds))
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if whole >= size:
            return f"{whole // size} {unit}"
    return f"{whole} s"
