"""SIGKILL before and after the writes of a command to a cluster.

Where the writes are is known outside the product: the rig's gate counts those of a run that nobody disturbs, then holds
the k-th before it is carried out or after it, and the run dies there. `make test` takes one point of a scenario by the
printed seed, `make sweep` takes all.
"""

from __future__ import annotations

import random
from typing import TypeVar, get_args

from tests.conftest import SEED, SWEEP
from tests.e2e.cluster.namespace_place import NamespacePlace
from tests.e2e.cluster.scenarios import Scenario
from tests.e2e.killing.trial import PlatformTrial
from tests.e2e.machine import must
from tests.e2e.registry_place import Places, WasNotHeld
from tests.rig.kubernetes.gate.hands import When, Write

SAMPLE = 1
"""Points of each scenario in `make test`."""
CONFLICT = 409

P = TypeVar("P", bound=NamespacePlace)
K = TypeVar("K")


def assert_survives(places: Places[P, K], scenario: Scenario[P, K], fewest: int) -> None:
    """Killed at its writes, of which it makes `fewest` at least."""
    made = _counted(places, scenario, fewest)
    points = [(k, when) for k in range(1, len(made) + 1) for when in get_args(When)]
    wanted = len(points) if SWEEP else SAMPLE
    violations: list[str] = []
    held = 0
    for k, when in points if SWEEP else random.Random(f"{SEED} {scenario}").sample(points, len(points)):
        if held == wanted:
            break
        attempt = scenario.prepare(places)
        trial = PlatformTrial(attempt)
        try:
            trial.run(attempt.place.killed_at(k, when, *attempt.words))
        except WasNotHeld as error:  # such as a stamp that did not have to be written twice
            trial.expect(attempt.place.text() == attempt.wanted, str(error))
        held += trial.held is not None
        violations += [f"{scenario}, killed {when} {trial.held or f'write {k}'}: {one}" for one in trial.violations]
        if trial.violations:
            places.give_up(scenario.kind)
    assert violations == [], "\n".join(violations)
    assert held >= wanted * 0.9, f"the runs had fewer writes than were counted: {[str(write) for write in made]}"


def _counted(places: Places[P, K], scenario: Scenario[P, K], fewest: int) -> list[Write]:
    """Every write of the command when nobody kills it that was carried out: one that met a newer status is made again,
    and how often that happens is the platform's timing.
    """
    for _ in range(2 if SWEEP else 1):  # the second time is like every later one: there is something to tidy
        attempt = scenario.prepare(places)
        before = len(attempt.place.writes())
        must(attempt.run())
        assert attempt.place.text() == attempt.wanted
    made = [write for write in attempt.place.writes()[before:] if write.status != CONFLICT]
    assert len(made) >= fewest, made
    assert {write.field_manager for write in made if write.verb == "patch"} <= {"shipper"}, made
    return made
