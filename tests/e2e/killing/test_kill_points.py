"""SIGKILL before and after every write of a release, a canary and a rollback: to the platform and to the ledger.

Whatever dies where: what served serves on, the next run of the same command finishes the work, and nothing is left
over. The points are counted outside the product, by the proxies of tests/rig/killing.py. `make test` takes a sample
of each scenario's points by the printed seed, `make sweep` takes all; the table is printed at the end (pytest -s).
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import get_args

import pytest

from tests.conftest import SEED, SWEEP
from tests.e2e.attempts import Attempt, first, rollback, second
from tests.e2e.killing.ledgers import LedgerPlace, prefixes, violations
from tests.e2e.killing.tiny_host import NewPlace, TinyHost
from tests.e2e.killing.trial import Trial
from tests.e2e.machine import must
from tests.e2e.tiny_place import canary
from tests.rig.killing import When, Write

pytestmark = pytest.mark.e2e

SAMPLE = 2
"""Points of each scenario in `make test`."""


@dataclass(frozen=True)
class Scenario:
    """A command to kill. `prepare` brings the place to where it starts from."""

    name: str
    prepare: Callable[[Places], Attempt[TinyHost]]


class Places:
    """The place where the kills happen; a new one when a scenario starts from nothing."""

    def __init__(self, make: NewPlace, ledgers: Iterator[LedgerPlace]) -> None:
        self._make = make
        self._ledgers = ledgers
        self.ledger = next(ledgers)
        self.now = make(self.ledger)

    def fresh(self) -> TinyHost:
        self.now.host.clean_up()
        self.ledger = next(self._ledgers)
        self.now = self._make(self.ledger)
        return self.now


SCENARIOS = (
    Scenario("first release", lambda places: first(places.fresh())),
    Scenario("second release", lambda places: second(places.now)),
    Scenario("canary 10/50/100", lambda places: second(places.now, **canary())),
    Scenario("rollback", lambda places: rollback(places.now)),
)


@dataclass
class Row:
    """One line of the table."""

    scenario: str
    points: int
    killed: int = 0
    violations: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.scenario:<18} {self.points:>6} {self.killed:>7} {len(self.violations):>11}"


@pytest.fixture(scope="module")
def table() -> Iterator[list[Row]]:
    rows: list[Row] = []
    yield rows
    print(f"\n{'scenario':<18} {'points':>6} {'killed':>7} {'violations':>11}")
    print("\n".join(map(str, rows)))


@pytest.mark.timeout(5400)
@pytest.mark.sample(2)
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_what_a_killed_run_began_the_next_one_finishes(
    scenario: Scenario, new_place: NewPlace, s3: LedgerPlace, table: list[Row]
) -> None:
    places = Places(new_place, prefixes(s3))
    writes, shapes = _counted(scenario, places)
    points = [(k, when) for k in range(1, writes + 1) for when in get_args(When)]
    row = Row(scenario.name, len(points))
    table.append(row)
    chosen = points if SWEEP else random.Random(f"{SEED} {scenario.name}").sample(points, min(SAMPLE, len(points)))
    for k, when in sorted(chosen):
        trial = _Trial(scenario.prepare(places), 50, shapes=shapes)
        trial.run(trial.killed(when, k))
        row.killed += trial.held is not None
        found = [f"{scenario.name}, killed {when} {trial.held or 'nothing'}: {one}" for one in trial.violations]
        print("".join(f"\nviolation: {one}" for one in found), end="")  # a sweep takes long: not only at its end
        row.violations += found
        if found:
            row.violations += violations(places.ledger, [places.now])
            places.fresh()
    row.violations += violations(places.ledger, [places.now]) + _addresses_that_stay(places)
    assert row.violations == [], "\n".join(row.violations)
    assert row.killed >= len(chosen) * 0.9, "the runs had fewer writes than were counted"


@dataclass(frozen=True)
class Shapes:
    """What is there after a command that nobody killed, and after one more release."""

    after: Counter[str]
    one_more: Counter[str]


def _counted(scenario: Scenario, places: Places) -> tuple[int, Shapes]:
    """How many writes the command makes when nobody kills it, and what it leaves."""
    for _ in range(2):  # the second time is like every later one: there is a way back, and something to tidy
        attempt = scenario.prepare(places)
        with places.now.points.counted():
            must(places.now.run(*attempt.words))
        assert places.now.text() == attempt.wanted
    writes, after = places.now.points.count(), places.now.inventory()
    must(places.now.release(places.now.next_text()))
    return writes, Shapes(after, places.now.inventory())


def _addresses_that_stay(places: Places) -> list[str]:
    """Reserved by a run that was killed before it had made its container: given to others after ten minutes."""
    places.now.served()
    places.now.age_addresses()
    must(places.now.release(places.now.next_text()))
    left = places.now.addresses() - set(places.now.host.containers(every=True))
    return [f"addresses of {left} are never given to others"] if left else []


@dataclass
class _Trial(Trial[TinyHost]):
    """By what is on the host after a command that nobody killed."""

    shapes: Shapes = field(kw_only=True)

    @contextmanager
    def killed(self, when: When, k: int) -> Iterator[Write | None]:
        """At its k-th write, if it comes so far."""
        with self.attempt.place.points.armed(when, k) as seen:
            ended = self.attempt.run()
        self.expect(seen.killed_at is not None or ended.code == 0, f"it was not killed and ended with {ended!r}")
        yield seen.killed_at

    def nothing_is_left(self, *, one_more: bool) -> None:
        place, shape = self.attempt.place, self.shapes.one_more if one_more else self.shapes.after
        found = place.inventory()
        self.expect(found == shape, f"left over: {dict(found - shape)}, missing: {dict(shape - found)}")
        without = set(place.host.containers(every=True)) - place.addresses()
        self.expect(not without, f"no addresses of {without}")
        self.expect_finished(place.history(newest=4))
