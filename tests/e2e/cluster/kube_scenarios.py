"""The commands that write to a namespace, by strategy: what each starts from, and what has to come of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.e2e.cluster.tiny_cluster import SHAPES, KubePlaces, Shape, TinyCluster
from tests.e2e.machine import Ended

WRITTEN = frozenset({0, 24})
"""Exit codes after which what was wanted serves; after 22 either may, after all others what served before does."""
NOT_KNOWN = 22


@dataclass(frozen=True)
class Attempt:
    """What a command starts from, and what has to come of it."""

    place: TinyCluster
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
    """A command in a shape. `prepare` brings a place to its start."""

    name: str
    shape: Shape
    prepares: Callable[[KubePlaces, Shape], Attempt]

    def prepare(self, places: KubePlaces) -> Attempt:
        return self.prepares(places, self.shape)

    def __str__(self) -> str:
        return f"{self.name}, {self.shape}"


def _first(places: KubePlaces, shape: Shape) -> Attempt:
    place = places.fresh(shape)
    text = place.next_text()
    place.write(text)
    return Attempt(place, place.release_words, None, text)


def _second(places: KubePlaces, shape: Shape) -> Attempt:
    place = places.kept(shape)
    served, text = place.served(), place.next_text()
    place.write(text)
    return Attempt(place, place.release_words, served, text)


def _rollback(places: KubePlaces, shape: Shape) -> Attempt:
    place = places.kept(shape)
    before, text = place.served(), place.next_text()
    serving = next(release for release in place.history() if release.outcome == "verified")
    must(place.release(text))
    words = place.rollback_words
    # Once it is recorded that the rollback was done, "rollback" means one further back; by its number it is the same.
    return Attempt(place, words, text, before, recorded=(*words, "--to", f"#{serving.number}"))


def _another_shape(places: KubePlaces, shape: Shape) -> Attempt:
    """The other strategy's objects are there, and serve."""
    place = places.fresh(shape)
    other: Shape = "blue-green" if shape == "rolling" else "rolling"
    before = TinyCluster(place.cluster, other, place.image)
    served, text = before.served(), place.next_text() + " in another shape"
    place.write(text)
    return Attempt(place, place.release_words, served, text)


SECOND = {shape: Scenario("second release", shape, _second) for shape in SHAPES}
ROLLBACK = {shape: Scenario("rollback", shape, _rollback) for shape in SHAPES}
SCENARIOS = (
    *(Scenario("first release", shape, _first) for shape in SHAPES),
    *SECOND.values(),
    *ROLLBACK.values(),
    *(Scenario("change of shape", shape, _another_shape) for shape in ("rolling", "blue-green")),
)


def must(ended: Ended) -> None:
    """It ends well."""
    assert ended.code == 0, ended
