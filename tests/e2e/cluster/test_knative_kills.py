"""SIGKILL before and after every write to Knative: of a first release, the next one, a canary and a rollback.

Whatever dies where: what served serves on or the new one does already, the next run of the same command finishes the
work, and no tag is left on what has no traffic.
"""

from __future__ import annotations

import pytest

from tests.conftest import SWEEP
from tests.e2e import attempts
from tests.e2e.cluster import scenarios
from tests.e2e.cluster.kills import assert_survives
from tests.e2e.cluster.scenarios import first, rollback, second
from tests.e2e.cluster.tiny_knative import KnativePlaces, Only, TinyKnative
from tests.e2e.tiny_place import canary

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(2700 if SWEEP else 400)]

Scenario = scenarios.Scenario[TinyKnative, Only]


def _canary(places: KnativePlaces, kind: Only) -> attempts.Attempt[TinyKnative]:
    return attempts.second(places.kept(kind), **canary())


FEWEST = {"first release": 2, "second release": 3, "canary": 5, "rollback": 2}
"""Writes that each makes at least: the revision, each share of the traffic, and what is told of it."""
SCENARIOS = (
    Scenario("first release", "knative", first),
    Scenario("second release", "knative", second),
    Scenario("canary", "knative", _canary),
    Scenario("rollback", "knative", rollback),
)


@pytest.mark.sample(1)
@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_killed_at_its_writes(knative_places: KnativePlaces, scenario: Scenario) -> None:
    assert_survives(knative_places, scenario, FEWEST[scenario.name])
