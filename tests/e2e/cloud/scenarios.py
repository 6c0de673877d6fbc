"""The four commands that write to Cloud Run, and how many writes each makes: to kill, race and silence at every one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import pytest

from tests.e2e.cloud.tiny_cloud import CANARY, Places, TinyCloud, Transport
from tests.e2e.machine import Ended

TRANSPORTS: tuple[Transport, ...] = get_args(Transport)
To = Literal["platform", "ledger"]
WRITTEN = frozenset({0, 24})
"""Exit codes after which what was wanted serves; after 22 either may, after all others what served before does."""
NOT_KNOWN = 22


@dataclass(frozen=True)
class Attempt:
    """What a command starts from, and what has to come of it."""

    place: TinyCloud
    words: tuple[object, ...]
    served: str | None
    wanted: str
    recorded: tuple[object, ...] = ()
    """The command to run again when the run died after it had recorded that it was done, if not the same."""

    @property
    def allowed(self) -> set[str | None]:
        return {self.served, self.wanted}

    @property
    def once_more(self) -> tuple[object, ...]:
        newest = self.place.history(newest=1)
        done = bool(self.recorded) and newest[0].outcome == "verified" and newest[0].rollback_to is not None
        return self.recorded if done else self.words

    def run(self) -> Ended:
        return self.place.run(*self.words)

    def is_truthful(self, ended: Ended) -> bool:
        """Whether what serves is what the exit code says (design.md section 5)."""
        if ended.code == NOT_KNOWN:
            return self.place.text() in self.allowed
        return self.place.text() == (self.wanted if ended.code in WRITTEN else self.served)


@dataclass(frozen=True)
class Scenario:
    """A command, and how many writes it makes where nobody disturbs it. `prepare` brings a place to its start."""

    name: str
    prepare: Callable[[Places, Transport], Attempt]
    platform: int
    ledger: int

    def writes(self, to: To) -> int:
        return self.platform if to == "platform" else self.ledger


def _first(places: Places, transport: Transport) -> Attempt:
    place = places.fresh(transport)
    text = place.next_text()
    place.write(text)
    return Attempt(place, place.release_words, None, text)


def _second(places: Places, transport: Transport) -> Attempt:
    place = places.kept(transport)
    served, text = place.served(), place.next_text()
    place.write(text)
    return Attempt(place, place.release_words, served, text)


def _canary(places: Places, transport: Transport) -> Attempt:
    place = places.kept(transport)
    served, text = place.served(), place.next_text()
    place.write(text, **CANARY)
    return Attempt(place, place.release_words, served, text)


def _rollback(places: Places, transport: Transport) -> Attempt:
    place = places.kept(transport)
    before, text = place.served(), place.next_text()
    serving = next(release for release in place.history() if release.outcome == "verified")
    must(place.release(text))
    words = place.rollback_words
    # Once it is recorded that the rollback was done, "rollback" means one further back; by its number it is the same.
    return Attempt(place, words, text, before, recorded=(*words, "--to", f"#{serving.number}"))


FIRST = Scenario("first release", _first, platform=2, ledger=14)
SECOND = Scenario("second release", _second, platform=4, ledger=7)
IN_STEPS = Scenario("canary 10-50-100", _canary, platform=6, ledger=7)
ROLLBACK = Scenario("rollback", _rollback, platform=3, ledger=7)
SCENARIOS = (FIRST, SECOND, IN_STEPS, ROLLBACK)


def at_every_write(to: To, *scenarios: Scenario, transports: tuple[Transport, ...] = TRANSPORTS) -> list[object]:
    """(scenario, transport, k) for every write of each."""
    return [
        pytest.param(scenario, transport, k, id=f"{scenario.name}, {transport}, {to} write {k}")
        for scenario in scenarios
        for transport in transports
        for k in range(1, scenario.writes(to) + 1)
    ]


def must(ended: Ended) -> None:
    """It ends well."""
    assert ended.code == 0, ended
