"""The in-memory target that replaces passes the suite."""

from __future__ import annotations

import pytest

from shipper.targets.conformance import ReplacingRig, Scenario
from tests.conformance.playing import play, played

pytestmark = pytest.mark.conformance

RIG = ReplacingRig()


@played(RIG)
def test_a_target_that_replaces(scenario: Scenario) -> None:
    play(scenario, RIG)
