"""What the gates count: the requests of their own step, whatever look was missed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from shipper.errors import PutBack, Transient
from shipper.model import Traffic
from tests.unit.rollout.world import World

pytestmark = pytest.mark.unit


def counters(readings: list[tuple[int, int] | None]) -> Callable[[str, Callable[[], Any]], Any]:
    """The requests and errors of web-2 at each look, the last one for ever; None: no answer."""

    def around(name: str, call: Callable[[], Any]) -> Any:
        return call() if name != "measure" else _next()

    def _next() -> Mapping[str, Traffic]:
        found = readings.pop(0) if len(readings) > 1 else readings[0]
        if found is None:
            raise Transient("no answer")
        return {"web-2": Traffic(requests=found[0], errors=found[1])}

    return around


def test_a_first_look_that_is_missed_does_not_mix_a_step_with_the_one_before(world: World) -> None:
    """Of the second step's requests all failed; with those of the first they would have been one in ten."""
    gate = {"error_rate": 0.1, "min_requests": 5, "golden": False}
    world.sets(rollout={"strategy": "canary", "steps": [10, 50], "bake": 2, "gate": gate})
    world.release("one")
    first, second = [(0, 0), (50, 0), (90, 0)], [None, (90, 0), (100, 10)]
    world.around = counters([*first, *second])
    with pytest.raises(PutBack, match="gate error-rate failed on web-2 at 50 %: 10 of 10 requests failed"):
        world.release("two")
    assert [(judged.weight, judged.ok) for judged in world.told.gates] == [(10, True), (50, False)]
