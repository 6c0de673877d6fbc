"""The commands that write to a namespace, by strategy: what each starts from, and what has to come of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from tests.e2e import attempts
from tests.e2e.attempts import first, rollback, second
from tests.e2e.cluster.tiny_cluster import SHAPES, KubePlaces, Shape, TinyCluster
from tests.e2e.killing.signalled import Run

Attempt = attempts.Attempt[TinyCluster]


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
    return first(places.fresh(shape))


def _second(places: KubePlaces, shape: Shape) -> Attempt:
    return second(places.kept(shape))


def _rollback(places: KubePlaces, shape: Shape) -> Attempt:
    return rollback(places.kept(shape))


def _another_shape(places: KubePlaces, shape: Shape) -> Attempt:
    """The other strategy's objects are there, and serve."""
    place = places.fresh(shape)
    replace(place, shape="blue-green" if shape == "rolling" else "rolling").served()
    return second(place)


def under_way(attempt: Attempt) -> Run:
    """The release, when its pods have been asked for: give it a slow start."""
    place, before = attempt.place, attempt.place.generations
    run = Run(place.start(*attempt.words))
    run.until(lambda: place.generations > before)
    return run


SECOND = {shape: Scenario("second release", shape, _second) for shape in SHAPES}
ROLLBACK = {shape: Scenario("rollback", shape, _rollback) for shape in SHAPES}
SCENARIOS = (
    *(Scenario("first release", shape, _first) for shape in SHAPES),
    *SECOND.values(),
    *ROLLBACK.values(),
    *(Scenario("change of shape", shape, _another_shape) for shape in ("rolling", "blue-green")),
)
