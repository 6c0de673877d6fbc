"""The commands that write to a namespace, whatever is in it: what each starts from, and what has to come of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from tests.e2e import attempts
from tests.e2e.attempts import Attempt
from tests.e2e.cluster.namespace_place import NamespacePlace
from tests.e2e.registry_place import Places

P = TypeVar("P", bound=NamespacePlace)
K = TypeVar("K")


@dataclass(frozen=True)
class Scenario(Generic[P, K]):
    """A command in a kind of place. `prepare` brings one to its start."""

    name: str
    kind: K
    prepares: Callable[[Places[P, K], K], Attempt[P]]

    def prepare(self, places: Places[P, K]) -> Attempt[P]:
        return self.prepares(places, self.kind)

    def __str__(self) -> str:
        return f"{self.name}, {self.kind}"


def first(places: Places[P, K], kind: K) -> Attempt[P]:
    return attempts.first(places.fresh(kind))


def second(places: Places[P, K], kind: K) -> Attempt[P]:
    return attempts.second(places.kept(kind))


def rollback(places: Places[P, K], kind: K) -> Attempt[P]:
    return attempts.rollback(places.kept(kind))
