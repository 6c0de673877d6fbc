"""One kill and what comes after it: what served serves on or the new one does, and the next run finishes the work."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from shipper.model import Recorded
from tests.e2e.attempts import Attempt
from tests.e2e.machine import must
from tests.e2e.registry_place import RegistryPlace
from tests.e2e.tiny_place import TinyPlace

NO_WAIT = 25.0
"""Seconds: a run that had to wait for a dead run's lease would take longer (30 s without a beat)."""

P = TypeVar("P", bound=TinyPlace)


@dataclass
class Trial(ABC, Generic[P]):
    """One kill under load, and what it left against what it must."""

    attempt: Attempt[P]
    rate: int = 20
    """Requests a second, all the while."""
    held: object = None
    """The write that it died at, where `killed` tells of it."""
    violations: list[str] = field(default_factory=list)

    def run(self, killed: AbstractContextManager[object]) -> None:
        """The command is dead within the block; what it had sent may be carried out at its end."""
        attempt, place = self.attempt, self.attempt.place
        with ExitStack() as stack:
            users = stack.enter_context(place.under_load(self.rate)) if attempt.served is not None else None
            with killed as self.held:
                meanwhile = place.text()
                again = place.run(*attempt.once_more)
            result = users.stop() if users else None
        self.expect(meanwhile in attempt.allowed, f"after the kill it answered {meanwhile!r}")
        self.expect(again.code == 0, f"the next run ended with {again!r}")
        self.expect(again.seconds < NO_WAIT, f"the next run took {again.seconds:.0f} s")
        self.expect(place.text() == attempt.wanted, f"in the end it answered {place.text()!r}")
        if result:
            self.expect(result.failed == 0, f"requests failed: {dict(result.failures)}")
            self.expect(set(result.by_body) <= attempt.allowed, f"it answered {dict(result.by_body)}")
        killed_late = again.code == 0 and again.finished["cause"] == "nothing-to-do"
        if killed_late:  # after the proof: the next one that has something to do tidies up and tells the ledger
            must(place.release(place.next_text()))
        self.nothing_is_left(one_more=killed_late)

    @abstractmethod
    def nothing_is_left(self, *, one_more: bool) -> None:
        """In the end; `one_more`: after one release more."""

    def expect(self, fulfilled: bool, otherwise: str) -> None:
        if not fulfilled:
            self.violations.append(otherwise)

    def expect_finished(self, releases: Sequence[Recorded]) -> None:
        unfinished = [one.number for one in releases if one.outcome == "started"]
        self.expect(not unfinished, f"{unfinished} seem to be under way")


class PlatformTrial(Trial[RegistryPlace]):
    """By what the platform and the ledger say of each other."""

    def nothing_is_left(self, *, one_more: bool) -> None:
        place = self.attempt.place
        left, serves, history, stamp = place.left_over(), place.serves, place.history(), place.stamp()
        newest_first = ", ".join(f"#{one.number} {one.outcome}" for one in history[:4])
        self.expect(not left, f"left over: {left}; the ledger has {newest_first}")
        self.expect(list(serves.values()) == [100], f"traffic is {serves}")
        self.expect_finished(history)
        twice = [number for number, times in Counter(one.number for one in history).items() if times > 1]
        self.expect(not twice, f"numbers {twice} were used twice")
        newest = history[0].number
        self.expect(newest in stamp["verified"], f"#{newest} is not among the verified of {stamp}")
        self.expect(stamp["highest"] == newest, f"the highest of {stamp} is not {newest}")
