"""What a command starts from and has to end with, and the commands that every place with the tiny service has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from tests.e2e.machine import Ended, must
from tests.e2e.tiny_place import TinyPlace

WRITTEN = frozenset({0, 24})
"""Exit codes after which what was wanted serves; after 22 either may, after all others what served before does."""
NOT_KNOWN = 22

P = TypeVar("P", bound=TinyPlace)
P_co = TypeVar("P_co", bound=TinyPlace, covariant=True)


@dataclass(frozen=True)
class Attempt(Generic[P_co]):
    """What a command starts from, and what has to come of it."""

    place: P_co
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

    def with_settings(self, **settings: Any) -> Attempt[P_co]:
        """The same, of a project that says more."""
        self.place.write(self.wanted, **settings)
        return self

    def run(self) -> Ended:
        return self.place.run(*self.words)

    def is_truthful(self, ended: Ended) -> bool:
        """Whether what serves is what the exit code says (design.md section 5)."""
        if ended.code == NOT_KNOWN:
            return self.place.text() in self.allowed
        return self.place.text() == (self.wanted if ended.code in WRITTEN else self.served)


def first(place: P) -> Attempt[P]:
    """A release where nothing serves."""
    text = place.next_text()
    place.write(text)
    return Attempt(place, place.release_words, None, text)


def second(place: P, **settings: Any) -> Attempt[P]:
    """A release over one that serves."""
    served, text = place.served(), place.next_text()
    place.write(text, **settings)
    return Attempt(place, place.release_words, served, text)


def rollback(place: P) -> Attempt[P]:
    """Back from a release that serves to the one before."""
    before, text = place.served(), place.next_text()
    serving = next(release for release in place.history() if release.outcome == "verified")
    must(place.release(text))
    words = place.rollback_words
    # Once it is recorded that the rollback was done, "rollback" means one further back; by its number it is the same.
    return Attempt(place, words, text, before, recorded=(*words, "--to", f"#{serving.number}"))
