"""The in-memory targets that replace pass the suite: one moves the traffic by itself, one wants to be asked."""

from __future__ import annotations

import pytest

from shipper.targets.conformance import ReplacingRig, Scenario
from tests.conformance.playing import play, played

pytestmark = pytest.mark.conformance

RIG = ReplacingRig()
FINISHING = ReplacingRig("memory replaces, when asked", finishes=True)


@played(RIG)
def test_a_target_that_replaces(scenario: Scenario) -> None:
    play(scenario, RIG)


@played(FINISHING)
def test_a_target_that_is_asked_to_finish(scenario: Scenario) -> None:
    play(scenario, FINISHING)
