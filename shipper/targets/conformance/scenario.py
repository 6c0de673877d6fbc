"""A scenario: what must hold on every target that can do it, and which targets those are."""

from __future__ import annotations

import contextlib
import importlib
import tempfile
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from shipper.model.target import Traits
from shipper.targets.conformance.doom import bury
from shipper.targets.conformance.here import Here
from shipper.targets.conformance.rig import KillsProcesses, Rig

_ALL: list[Scenario] = []


@dataclass(frozen=True)
class Scenario:
    """One of the suite. `play(rig)` raises AssertionError with what was not as it must be."""

    name: str
    told: str
    plays: Callable[[Here], None]
    needs: tuple[type, ...] = ()
    strategy: str = ""
    trait: str = ""
    service: str = ""
    kills: bool = False
    """Its runs may be killed as processes: their ledger must be found by others too."""
    exhaustive: bool = False
    """It makes a run for every write or for every kind of error: minutes where a run takes seconds."""

    def play(self, rig: Rig) -> None:
        """Play it at a fresh place, which is closed afterwards whatever happens."""
        place = rig.fresh(self.service)
        with contextlib.ExitStack() as stack:
            stack.callback(place.close)
            stack.callback(bury)
            if self.kills and isinstance(place, KillsProcesses):
                folder = stack.enter_context(tempfile.TemporaryDirectory())
                self.plays(Here(place, Path(folder).as_uri()))
            else:
                self.plays(Here(place))

    def missing(self, traits: Traits, powers: Collection[type]) -> str:
        """Why a target with these cannot play it; empty when it can."""
        if lacking := [power.__name__ for power in self.needs if power not in powers]:
            return f"has no {' and no '.join(lacking)}"
        if self.strategy and self.strategy not in traits.strategies:
            return f"cannot do {self.strategy}"
        if self.trait and not getattr(traits, self.trait):
            return f"its trait {self.trait} is false"
        return ""


@dataclass(frozen=True)
class Skipped:
    """A scenario that a target cannot play, and why."""

    scenario: Scenario
    reason: str


def scenario(
    *,
    needs: Iterable[type] = (),
    strategy: str = "",
    trait: str = "",
    service: str = "",
    kills: bool = False,
    exhaustive: bool = False,
) -> Callable[[Callable[[Here], None]], Callable[[Here], None]]:
    """Make a function part of the suite, for targets that have what it needs."""

    def register(plays: Callable[[Here], None]) -> Callable[[Here], None]:
        told = (plays.__doc__ or "").strip().split("\n\n")[0]
        name = plays.__name__.replace("_", " ")
        words = " ".join(told.split())
        _ALL.append(Scenario(name, words, plays, tuple(needs), strategy, trait, service, kills, exhaustive))
        return plays

    return register


def suite() -> tuple[Scenario, ...]:
    """The whole suite, in the order in which it reads best."""
    importlib.import_module("shipper.targets.conformance.scenarios")  # each of its modules adds its own
    return tuple(_ALL)


def scenarios_for(traits: Traits, powers: Collection[type]) -> tuple[tuple[Scenario, ...], tuple[Skipped, ...]]:
    """What a target with these traits and powers plays, and what it does not, with the reason."""
    judged = [(one, one.missing(traits, powers)) for one in suite()]
    chosen = tuple(one for one, reason in judged if not reason)
    return chosen, tuple(Skipped(one, reason) for one, reason in judged if reason)
