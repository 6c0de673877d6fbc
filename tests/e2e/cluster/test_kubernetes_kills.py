"""SIGKILL before and after every write to a cluster: of a first release, the next one, a rollback, a change of shape.

Whatever dies where: what served serves on or the new one does already, the next run of the same command finishes the
work, and nothing is left over. Where the writes are is known outside the product: the rig's gate counts those of a run
that nobody disturbs, then holds the k-th before it is carried out or after it, and the run dies there. `make test`
takes one point of some scenarios by the printed seed, `make sweep` takes all of all.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from typing import get_args

import pytest

from tests.conftest import SEED, SWEEP
from tests.e2e.cluster.kube_scenarios import SCENARIOS, Attempt, Scenario, must
from tests.e2e.cluster.tiny_cluster import KubePlaces, TinyCluster, WasNotHeld
from tests.rig import load
from tests.rig.kubernetes.gate.hands import When, Write

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(5400 if SWEEP else 400)]

SAMPLE = 1
"""Points of each scenario in `make test`."""
NO_WAIT = 25.0
"""Seconds: a run that had to wait for a dead run's lease would take longer (30 s without a beat)."""
RATE = 20
"""Requests a second, all the while."""
CONFLICT = 409
FEWEST = {"first release": 4, "second release": 2, "rollback": 2, "change of shape": 3}
"""Writes that each makes at least: a stamp, a record, what runs it, and what moves the traffic."""


@pytest.mark.sample(2)
@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_killed_at_its_writes(kube_places: KubePlaces, scenario: Scenario) -> None:
    made = _counted(kube_places, scenario)
    points = [(k, when) for k in range(1, len(made) + 1) for when in get_args(When)]
    chosen = points if SWEEP else random.Random(f"{SEED} {scenario}").sample(points, SAMPLE)
    violations: list[str] = []
    held = 0
    for k, when in sorted(chosen):
        trial = _Trial(scenario.prepare(kube_places), k, when)
        trial.run()
        held += trial.held is not None
        violations += [f"{scenario}, killed {when} {trial.held or f'write {k}'}: {one}" for one in trial.violations]
        if trial.violations:
            kube_places.give_up(scenario.shape)
    assert violations == [], "\n".join(violations)
    assert held >= len(chosen) * 0.9, f"the runs had fewer writes than were counted: {[str(write) for write in made]}"


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


@dataclass
class _Trial:
    """One kill and what comes after it."""

    attempt: Attempt
    k: int
    when: When
    held: Write | None = None
    violations: list[str] = field(default_factory=list)

    def run(self) -> None:
        attempt, place = self.attempt, self.attempt.place
        running = None
        if attempt.served is not None:
            running = load.start(place.edge_port, rate=RATE, host=place.cluster.host, timeout=10)
        try:
            self.held = place.killed_at(self.k, self.when, *attempt.words)
        except WasNotHeld as error:  # such as a stamp that did not have to be written twice
            self._expect(place.text() == attempt.wanted, str(error))
            return
        finally:
            meanwhile = place.text()
            again = place.run(*attempt.once_more) if self.held is not None else None
            result = running.stop() if running else None
        assert again is not None
        self._expect(meanwhile in attempt.allowed, f"after the kill it answered {meanwhile!r}")
        self._expect(again.code == 0, f"the next run ended with {again!r}")
        self._expect(again.seconds < NO_WAIT, f"the next run took {again.seconds:.0f} s")
        self._expect(place.text() == attempt.wanted, f"in the end it answered {place.text()!r}")
        if result:
            self._expect(result.failed == 0, f"requests failed: {dict(result.failures)}")
            self._expect(set(result.by_body) <= attempt.allowed, f"it answered {dict(result.by_body)}")
        if again.code == 0 and again.finished["cause"] == "nothing-to-do":
            # Killed after the proof: the next one that has something to do tidies up.
            must(place.release(place.next_text()))
        self._nothing_is_left(place)

    def _nothing_is_left(self, place: TinyCluster) -> None:
        left, history = place.left_over(), place.history()
        newest_first = ", ".join(f"#{one.number} {one.outcome}" for one in history[:4])
        self._expect(not left, f"left over: {left}; the ledger has {newest_first}")
        unfinished = [recorded.number for recorded in history if recorded.outcome == "started"]
        self._expect(not unfinished, f"{unfinished} seem to be under way")
        twice = [number for number, times in Counter(one.number for one in history).items() if times > 1]
        self._expect(not twice, f"numbers {twice} were used twice")
        newest, stamp = history[0], place.stamp()
        self._expect(newest.number in stamp["verified"], f"#{newest.number} is not among the verified of {stamp}")
        self._expect(stamp["highest"] == newest.number, f"the highest of {stamp} is not {newest.number}")

    def _expect(self, fulfilled: bool, otherwise: str) -> None:
        if not fulfilled:
            self.violations.append(otherwise)
