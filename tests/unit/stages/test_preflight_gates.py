"""Gates are asked during bake times: of one that is configured and never asked a release and a plan say so."""

from __future__ import annotations

from typing import Any

import pytest

from shipper.config import Written
from shipper.model import TargetSettings
from shipper.pipeline.remarks import Remarks
from shipper.stages import preflight
from tests.unit.rollout.world import World, splitting_world

pytestmark = pytest.mark.unit

COMMAND = {"command": ["./slo-check"]}


def told(rollout: dict[str, Any]) -> list[str]:
    world: World = splitting_world()
    world.sets(image={"repository": "registry.example.com/shop"}, rollout=rollout)
    report = Remarks()
    chosen = TargetSettings(name="here", kind="memory")
    preflight.preflight(world.settings, chosen, world.target(), Written(None, "dev"), report)
    return report.texts


@pytest.mark.parametrize("strategy", ["all-at-once", "recreate"])
def test_a_gate_that_no_bake_time_asks_is_told(strategy: str) -> None:
    assert told({"strategy": strategy, "gate": COMMAND}) == [
        f"rollout.gate.command never holds with {strategy}, which has no bake time: choose blue-green or canary"
    ]


def test_so_it_is_with_the_targets_own_strategy() -> None:
    (said,) = told({"gate": {"latency": "1s", **COMMAND}})
    assert said.startswith("rollout.gate.command and latency never hold with all-at-once")


@pytest.mark.parametrize(
    "rollout",
    [{"strategy": "blue-green", "gate": COMMAND}, {"strategy": "canary", "gate": COMMAND}, {"strategy": "all-at-once"}],
)
def test_of_a_gate_that_is_asked_or_of_none_nothing_is_said(rollout: dict[str, Any]) -> None:
    assert told(rollout) == []
