"""SIGKILL before and after every write to a cluster: of a first release, the next one, a rollback, a change of shape.

Whatever dies where: what served serves on or the new one does already, the next run of the same command finishes the
work, and nothing is left over. Where the writes are is known outside the product: the rig's gate counts those of a run
that nobody disturbs, then holds the k-th before it is carried out or after it, and the run dies there. `make test`
takes one point of some scenarios by the printed seed, `make sweep` takes all of all.
"""

from __future__ import annotations

import random
from typing import get_args

import pytest

from tests.conftest import SEED, SWEEP
from tests.e2e.cluster.kube_scenarios import SCENARIOS, Scenario
from tests.e2e.cluster.tiny_cluster import KubePlaces
from tests.e2e.killing.trial import PlatformTrial
from tests.e2e.machine import must
from tests.e2e.registry_place import WasNotHeld
from tests.rig.kubernetes.gate.hands import When, Write

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(5400 if SWEEP else 400)]

SAMPLE = 1
"""Points of each scenario in `make test`."""
CONFLICT = 409
FEWEST = {"first release": 4, "second release": 2, "rollback": 2, "change of shape": 3}
"""Writes that each makes at least: a stamp, a record, what runs it, and what moves the traffic."""


@pytest.mark.sample(2)
@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_killed_at_its_writes(kube_places: KubePlaces, scenario: Scenario) -> None:
    made = _counted(kube_places, scenario)
    points = [(k, when) for k in range(1, len(made) + 1) for when in get_args(When)]
    wanted = len(points) if SWEEP else SAMPLE
    violations: list[str] = []
    held = 0
    for k, when in points if SWEEP else random.Random(f"{SEED} {scenario}").sample(points, len(points)):
        if held == wanted:
            break
        attempt = scenario.prepare(kube_places)
        trial = PlatformTrial(attempt)
        try:
            trial.run(attempt.place.killed_at(k, when, *attempt.words))
        except WasNotHeld as error:  # such as a stamp that did not have to be written twice
            trial.expect(attempt.place.text() == attempt.wanted, str(error))
        held += trial.held is not None
        violations += [f"{scenario}, killed {when} {trial.held or f'write {k}'}: {one}" for one in trial.violations]
        if trial.violations:
            kube_places.give_up(scenario.shape)
    assert violations == [], "\n".join(violations)
    assert held >= wanted * 0.9, f"the runs had fewer writes than were counted: {[str(write) for write in made]}"


def _counted(places: KubePlaces, scenario: Scenario) -> list[Write]:
    """Every write of the command when nobody kills it that was carried out: one that met a newer status is made again,
    and how often that happens is the platform's timing.
    """
    for _ in range(2 if SWEEP else 1):  # the second time is like every later one: there is something to tidy
        attempt = scenario.prepare(places)
        before = len(attempt.place.writes())
        must(attempt.run())
        assert attempt.place.text() == attempt.wanted
    made = [write for write in attempt.place.writes()[before:] if write.status != CONFLICT]
    assert len(made) >= FEWEST[scenario.name], made
    assert {write.field_manager for write in made if write.verb == "patch"} <= {"shipper"}, made
    return made
