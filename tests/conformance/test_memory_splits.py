"""The in-memory target that splits traffic passes the suite: as it is, in steps of 25 %, and serving at once."""

from __future__ import annotations

import pytest

from shipper.targets.conformance import Scenario, SplittingRig
from shipper.targets.conformance.memory_splits import TRAITS
from tests.conformance.playing import play, played

pytestmark = pytest.mark.conformance

PLAIN = SplittingRig()
STEPS = SplittingRig("memory, 25 %", TRAITS.model_copy(update={"weight_step": 25}))
AT_ONCE = SplittingRig(
    "memory, at once", TRAITS.model_copy(update={"first_create_serves": True, "keeps_revisions": True})
)


@played(PLAIN)
def test_a_target_that_splits_traffic(scenario: Scenario) -> None:
    play(scenario, PLAIN)


@pytest.mark.sample(12)
@played(STEPS)
def test_a_target_that_splits_traffic_in_large_steps(scenario: Scenario) -> None:
    play(scenario, STEPS)


@pytest.mark.sample(12)
@played(AT_ONCE)
def test_a_target_whose_first_create_serves(scenario: Scenario) -> None:
    play(scenario, AT_ONCE)
