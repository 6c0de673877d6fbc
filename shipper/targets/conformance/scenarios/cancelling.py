"""A signal in the middle: what served before serves on, whenever it comes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from shipper.errors import Interrupted
from shipper.pipeline.cancellation import SIGNAL_DEADLINE, RunCancellation
from shipper.targets.conformance.here import Here, expect
from shipper.targets.conformance.scenario import scenario
from shipper.targets.conformance.scenarios.strategies import FAST_BAKE
from shipper.targets.conformance.watched import WRITES
from shipper.targets.protocol import SplitsTraffic

MOMENTS = WRITES | {"progress", "probe", "measure"}


def interrupted_at(at: int) -> dict[str, Any]:
    """Options of `do`: SIGINT just when the run makes its call number `at` (from 1) of those that take time."""
    cancel, calls = RunCancellation(), [0]

    def around(name: str, call: Callable[[], Any]) -> Any:
        calls[0] += name in MOMENTS
        if name in MOMENTS and calls[0] == at:
            cancel.cancel(Interrupted("interrupted"), within=SIGNAL_DEADLINE)
        return call()

    return {"around": around, "cancel": cancel}


def interrupted_everywhere(here: Here) -> None:
    """A release, interrupted at every moment in turn, until one ends before it is."""
    serving = "base"
    expect(here.release(serving), 0)
    for at in range(1, 100):
        options = interrupted_at(at)
        ended = expect(here.release(f"at {at}", **options), 0, 130)
        if ended.code == 0:
            serving = f"at {at}"
        here.answers(serving)
        here.lost_nothing()
        if not options["cancel"].cancelled:
            return
    raise AssertionError("a release makes more than 100 calls")


@scenario(exhaustive=True)
def interrupted_at_every_moment(here: Here) -> None:
    """Interrupted before its traffic is verified, a release leaves what served before."""
    interrupted_everywhere(here)


@scenario(needs=[SplitsTraffic], strategy="canary", exhaustive=True)
def a_canary_interrupted_at_every_moment(here: Here) -> None:
    """A canary too, at every step."""
    here.sets(rollout={"strategy": "canary", "steps": [10, 50], "bake": FAST_BAKE})
    interrupted_everywhere(here)
