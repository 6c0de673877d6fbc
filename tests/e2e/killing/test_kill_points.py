"""SIGKILL before and after every write of a release, a canary and a rollback: to the platform and to the ledger.

Whatever dies where: what served serves on, the next run of the same command finishes the work, and nothing is left
over. The points are counted outside the product, by the proxies of tests/rig/killing.py. `make test` takes a sample
of each scenario's points by the printed seed, `make sweep` takes all; the table is printed at the end (pytest -s).
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import get_args

import pytest

from tests.conftest import SEED, SWEEP
from tests.e2e.killing.ledgers import LedgerPlace, prefixes, violations
from tests.e2e.killing.tiny_place import CANARY, NewPlace, TinyPlace
from tests.e2e.machine import Ended
from tests.rig import load
from tests.rig.killing import Round, When

pytestmark = pytest.mark.e2e

SAMPLE = 2
"""Points of each scenario in `make test`."""
NO_WAIT = 25.0
"""Seconds: a run that had to wait for a dead run's lease would take longer (30 s without a beat)."""


@dataclass(frozen=True)
class Attempt:
    """What one kill starts from, and what has to come of it."""

    words: tuple[object, ...]
    served: str | None
    wanted: str
    recorded: tuple[object, ...] = ()
    """The command to run again when the run died after it had recorded that it was done, if not the same."""

    @property
    def allowed(self) -> set[str | None]:
        return {self.served, self.wanted}


@dataclass(frozen=True)
class Scenario:
    """A command to kill. `prepare` brings the place to where it starts from."""

    name: str
    prepare: Callable[[Places], Attempt]


class Places:
    """The place where the kills happen; a new one when a scenario starts from nothing."""

    def __init__(self, make: NewPlace, ledgers: Iterator[LedgerPlace]) -> None:
        self._make = make
        self._ledgers = ledgers
        self.ledger = next(ledgers)
        self.now = make(self.ledger)

    def fresh(self) -> TinyPlace:
        self.now.host.clean_up()
        self.ledger = next(self._ledgers)
        self.now = self._make(self.ledger)
        return self.now

    def serving(self) -> str:
        """What serves now; a first release when nothing does."""
        text = self.now.text()
        if text is None:
            text = self.now.next_text()
            _must(self.now.release(text))
        return text


def _first(places: Places) -> Attempt:
    place = places.fresh()
    text = place.next_text()
    place.write(text)
    return Attempt(place.release_words, None, text)


def _second(places: Places) -> Attempt:
    served, text = places.serving(), places.now.next_text()
    places.now.write(text)
    return Attempt(places.now.release_words, served, text)


def _canary(places: Places) -> Attempt:
    served, text = places.serving(), places.now.next_text()
    places.now.write(text, **CANARY)
    return Attempt(places.now.release_words, served, text)


def _rollback(places: Places) -> Attempt:
    before, text = places.serving(), places.now.next_text()
    serving = next(release for release in places.ledger.history() if release.outcome == "verified")
    _must(places.now.release(text))
    words = places.now.rollback_words
    # Once it is recorded that the rollback was done, "rollback" means one further back; by its number it is the same.
    return Attempt(words, text, before, recorded=(*words, "--to", f"#{serving.number}"))


SCENARIOS = (
    Scenario("first release", _first),
    Scenario("second release", _second),
    Scenario("canary 10/50/100", _canary),
    Scenario("rollback", _rollback),
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
        trial = _Trial(scenario, places, shapes, when, k)
        trial.run()
        row.killed += trial.killed
        row.violations += trial.violations
        if trial.violations:
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
            _must(places.now.run(*attempt.words))
        assert places.now.text() == attempt.wanted
    writes, after = places.now.points.count(), places.now.inventory()
    _must(places.now.release(places.now.next_text()))
    return writes, Shapes(after, places.now.inventory())


def _addresses_that_stay(places: Places) -> list[str]:
    """Reserved by a run that was killed before it had made its container: given to others after ten minutes."""
    places.serving()
    places.now.age_addresses()
    _must(places.now.release(places.now.next_text()))
    left = places.now.addresses() - set(places.now.host.containers(every=True))
    return [f"addresses of {left} are never given to others"] if left else []


@dataclass
class _Trial:
    """One kill and what comes after it."""

    scenario: Scenario
    places: Places
    shapes: Shapes
    when: When
    k: int
    killed: bool = False
    violations: list[str] = field(default_factory=list)

    def run(self) -> None:
        attempt = self.scenario.prepare(self.places)
        place = self.places.now
        with ExitStack() as stack:
            running = stack.enter_context(load.start(place.host.port, rate=50, timeout=10)) if attempt.served else None
            with place.points.armed(self.when, self.k) as seen:
                first = place.run(*attempt.words)
            self.killed = seen.killed_at is not None
            meanwhile = place.text()
            again = place.run(*self._once_more(attempt))
            result = running.stop() if running else None
        self._expect(self.killed or first.code == 0, f"it was not killed and ended with {first!r}", seen)
        self._expect(meanwhile in attempt.allowed, f"after the kill it answered {meanwhile!r}", seen)
        self._expect(again.code == 0, f"the next run ended with {again!r}", seen)
        self._expect(again.seconds < NO_WAIT, f"the next run took {again.seconds:.0f} s", seen)
        self._expect(place.text() == attempt.wanted, f"in the end it answered {place.text()!r}", seen)
        if result:
            self._expect(result.failed == 0, f"requests failed: {dict(result.failures)}", seen)
            self._expect(set(result.by_body) <= attempt.allowed, f"it answered {dict(result.by_body)}", seen)
        shape = self.shapes.after
        if again.code == 0 and again.finished["cause"] == "nothing-to-do":
            # Killed after the proof: the next one that has something to do tidies up.
            _must(place.release(place.next_text()))
            shape = self.shapes.one_more
        self._nothing_is_left(place, shape, seen)

    def _once_more(self, attempt: Attempt) -> tuple[object, ...]:
        newest = self.places.ledger.history(newest=1)
        done = bool(attempt.recorded) and newest[0].outcome == "verified" and newest[0].rollback_to is not None
        return attempt.recorded if done else attempt.words

    def _nothing_is_left(self, place: TinyPlace, shape: Counter[str], seen: Round) -> None:
        found = place.inventory()
        self._expect(found == shape, f"left over: {dict(found - shape)}, missing: {dict(shape - found)}", seen)
        without = set(place.host.containers(every=True)) - place.addresses()
        self._expect(not without, f"no addresses of {without}", seen)
        newest = self.places.ledger.history(newest=4)
        unfinished = [recorded.number for recorded in newest if recorded.outcome == "started"]
        self._expect(not unfinished, f"{unfinished} seem to be under way", seen)

    def _expect(self, fulfilled: bool, otherwise: str, seen: Round) -> None:
        if not fulfilled:
            at = seen.killed_at or "nothing"
            self.violations.append(f"{self.scenario.name}, killed {self.when} {at}: {otherwise}")
            print(f"\nviolation: {self.violations[-1]}")  # a sweep takes long: not only at its end


def _must(ended: Ended) -> None:
    assert ended.code == 0, ended
