"""SIGKILL before and after every write to Cloud Run and to the ledger: of a first release, the next one, a canary and
a rollback, over gRPC and REST.

Whatever dies where: what served serves on or the new one does already, the next run of the same command finishes the
work, and nothing is left over. Where the writes are is known outside the product: the rig's hands hold the k-th write
before it is carried out (the run dies, the write is dropped or comes late) or after it (the run dies without the
answer), and a proxy before the object store does the same for the ledger. `make test` takes a sample of the points by
the printed seed, `make sweep` takes all; that there are no more points than those is asserted by the sweep.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import get_args

import pytest

from tests.e2e.cloud.scenarios import SCENARIOS, TRANSPORTS, Attempt, Scenario, at_every_write, must
from tests.e2e.cloud.tiny_cloud import Death, Places, TinyCloud, Transport, When
from tests.rig import load

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

NO_WAIT = 25.0
"""Seconds: a run that had to wait for a dead run's lease would take longer (30 s without a beat)."""
RATE = 20
"""Requests a second, all the while."""


@pytest.mark.sample(1)
@pytest.mark.parametrize("death", get_args(Death))
@pytest.mark.parametrize(("scenario", "transport", "k"), at_every_write("platform", *SCENARIOS))
def test_killed_at_a_write_to_the_platform(
    places: Places, scenario: Scenario, transport: Transport, k: int, death: Death
) -> None:
    attempt = scenario.prepare(places, transport)
    trial = _Trial(attempt)
    trial.run(attempt.place.killed_at(k, death, *attempt.words))
    trial.judge(places, transport)


@pytest.mark.sample(1)
@pytest.mark.parametrize("death", get_args(When))
@pytest.mark.parametrize(("scenario", "transport", "k"), at_every_write("ledger", *SCENARIOS, transports=("grpc",)))
def test_killed_at_a_write_to_the_ledger(
    places: Places, scenario: Scenario, transport: Transport, k: int, death: When
) -> None:
    attempt = scenario.prepare(places, transport)
    trial = _Trial(attempt)
    trial.run(_killed_at_the_ledger(attempt, k, death))
    trial.judge(places, transport)


@contextmanager
def _killed_at_the_ledger(attempt: Attempt, k: int, when: When) -> Iterator[None]:
    with attempt.place.points.armed(when, k) as seen:
        first = attempt.place.run(*attempt.words)
    assert seen.killed_at, f"it ended before its write {k}: {first!r}"
    yield


@pytest.mark.sweep
@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_there_are_no_other_writes(places: Places, scenario: Scenario, transport: Transport) -> None:
    attempt = scenario.prepare(places, transport)
    before = len(attempt.place.writes())
    with attempt.place.points.counted() as seen:
        must(attempt.place.run(*attempt.words))
    made = [f"{write['method']} {','.join(write['mask'])}" for write in attempt.place.writes()[before:]]
    assert len(made) == scenario.platform, made
    told = [write.name for write in seen.writes]
    beats = {name for name in told if "/beats/" in name}  # as many as it takes time
    assert len([name for name in told if name not in beats]) + len(beats) == scenario.ledger, told


@dataclass
class _Trial:
    """One kill and what comes after it."""

    attempt: Attempt
    violations: list[str] = field(default_factory=list)

    def run(self, killed: AbstractContextManager[None]) -> None:
        """The command is dead within the block; what it had sent may be carried out at its end."""
        attempt, place = self.attempt, self.attempt.place
        with ExitStack() as stack:
            running = None
            if attempt.served is not None:
                running = stack.enter_context(load.start(place.port, rate=RATE, host="127.0.0.1", timeout=10))
            with killed:
                meanwhile = place.text()
                again = place.run(*attempt.once_more)
            result = running.stop() if running else None
        self._expect(meanwhile in attempt.allowed, f"after the kill it answered {meanwhile!r}")
        self._expect(again.code == 0, f"the next run ended with {again!r}")
        self._expect(again.seconds < NO_WAIT, f"the next run took {again.seconds:.0f} s")
        self._expect(place.text() == attempt.wanted, f"in the end it answered {place.text()!r}")
        if result:
            self._expect(result.failed == 0, f"requests failed: {dict(result.failures)}")
            self._expect(set(result.by_body) <= attempt.allowed, f"it answered {dict(result.by_body)}")
        if again.code == 0 and again.finished["cause"] == "nothing-to-do":
            # Killed after the proof: the next one that has something to do says so in the ledger.
            must(place.release(place.next_text()))
        self._nothing_is_left(place)

    def judge(self, places: Places, transport: Transport) -> None:
        if self.violations:
            places.give_up(transport)
        assert self.violations == [], "\n".join(self.violations)

    def _nothing_is_left(self, place: TinyCloud) -> None:
        left = place.left_over()
        self._expect(not left, f"left over: {left}")
        serves = place.cloud.serves
        self._expect(list(serves.values()) == [100], f"traffic is {serves}")
        history = place.history()
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
