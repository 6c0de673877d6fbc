"""Writing to a target: observe, check that the world is as we left it, write with `seen`, and again on a conflict."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from typing import TypeVar

from shipper.errors import Conflict, DriftError, RolloutFailed
from shipper.model import Observation
from shipper.targets import Target

Result = TypeVar("Result")

PAUSE = 0.2
"""Seconds, at most, before a write is decided anew: putting back has two seconds in all (design.md section 5)."""

TRIES = 5
"""How often a write is decided anew after a conflict, before somebody else is believed to be at work."""


def weights_of(observation: Observation) -> dict[str, int]:
    """Revision name to percent of the traffic, as routed at that moment."""
    return {revision.name: revision.weight for revision in observation.serving}


def write(
    target: Target, expected: Mapping[str, int] | None, call: Callable[[Observation], Result], what: str
) -> Result:
    """`call(observation)` on a fresh observation, decided anew on Conflict.

    `expected` are the weights that must serve for this write to be ours to make; None when it must be made
    whatever serves (putting back). Raises DriftError (31) when somebody else moved traffic meanwhile: theirs is not
    overwritten; RolloutFailed after too many conflicts; and the platform's own errors.
    """
    for _ in range(TRIES):
        now = target.observe()
        if expected is not None and weights_of(now) != dict(expected):
            raise DriftError(
                f"could not {what}: somebody else moved traffic meanwhile, now {show_weights(weights_of(now))}",
                hint="look at `shipper status`, then release again",
            )
        try:
            return call(now)
        except Conflict:
            # A moment of a length of our own: two writers that conflict must not meet again at once.
            time.sleep(random.uniform(0.0, PAUSE))  # noqa: S311 - no secret
    raise RolloutFailed(
        f"could not {what}: another writer changed the target {TRIES} times in a row",
        hint="wait for the other run to end, then release again",
    )


def show_weights(weights: Mapping[str, int]) -> str:
    """Weights for people: "web-4 90 %, web-5 10 %", or "nothing serves"."""
    return ", ".join(f"{name} {weight} %" for name, weight in weights.items()) or "nothing serves"
