"""The commands that write to a namespace of Kubernetes, by strategy."""

from __future__ import annotations

from dataclasses import replace

from tests.e2e import attempts
from tests.e2e.cluster import scenarios
from tests.e2e.cluster.scenarios import first, rollback, second
from tests.e2e.cluster.tiny_cluster import SHAPES, KubePlaces, Shape, TinyCluster
from tests.e2e.killing.signalled import Run

Attempt = attempts.Attempt[TinyCluster]
Scenario = scenarios.Scenario[TinyCluster, Shape]


def _another_shape(places: KubePlaces, shape: Shape) -> Attempt:
    """The other strategy's objects are there, and serve."""
    place = places.fresh(shape)
    replace(place, shape="blue-green" if shape == "rolling" else "rolling").served()
    return attempts.second(place)


def _leaving_the_gateway(places: KubePlaces, shape: Shape) -> Attempt:
    """What serves is behind an HTTPRoute, and the next release has an Ingress for the same host."""
    place = places.fresh(shape)
    replace(place, shape="canary").served()
    return attempts.second(place)


def under_way(attempt: Attempt) -> Run:
    """The release, when its pods have been asked for: give it a slow start."""
    place, before = attempt.place, attempt.place.generations
    run = Run(place.start(*attempt.words))
    run.until(lambda: place.generations > before)
    return run


CHANGED: tuple[Shape, ...] = ("rolling", "blue-green")
SECOND = {shape: Scenario("second release", shape, second) for shape in SHAPES}
ROLLBACK = {shape: Scenario("rollback", shape, rollback) for shape in SHAPES}
SCENARIOS = (
    *(Scenario("first release", shape, first) for shape in SHAPES),
    *SECOND.values(),
    *ROLLBACK.values(),
    *(Scenario("change of shape", shape, _another_shape) for shape in CHANGED),
    *(Scenario("leaving the gateway", shape, _leaving_the_gateway) for shape in CHANGED),
)
