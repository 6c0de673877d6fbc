"""Finding the last of what is counted from 1 without a gap, by probing. Pure."""

from __future__ import annotations

from collections.abc import Callable


def last_of(exists: Callable[[int], bool], known: int = 0) -> int:
    """The largest number that exists, from one that is known to (0: nothing is known).

    One probe when `known` is the last; otherwise doubling steps until one is absent, then bisection: about
    2 log2(distance) probes.
    """
    step = 1
    while exists(known + step):
        known += step
        step *= 2
    absent = known + step
    while absent - known > 1:
        middle = (known + absent) // 2
        if exists(middle):
            known = middle
        else:
            absent = middle
    return known
