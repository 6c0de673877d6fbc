"""SIGKILL before and after every write to a cluster: of a first release, the next one, a rollback, a change of shape
or of the way in.

Whatever dies where: what served serves on or the new one does already, the next run of the same command finishes the
work, and nothing is left over.
"""

from __future__ import annotations

import pytest

from tests.conftest import SWEEP
from tests.e2e.cluster.kills import assert_survives
from tests.e2e.cluster.kube_scenarios import SCENARIOS, Scenario
from tests.e2e.cluster.tiny_cluster import KubePlaces

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(5400 if SWEEP else 400)]

FEWEST = {"first release": 4, "second release": 2, "rollback": 2, "change of shape": 3, "leaving the gateway": 4}
"""Writes that each makes at least: a stamp, a record, what runs it, and what moves the traffic."""


@pytest.mark.sample(2)
@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_killed_at_its_writes(kube_places: KubePlaces, scenario: Scenario) -> None:
    assert_survives(kube_places, scenario, FEWEST[scenario.name])
