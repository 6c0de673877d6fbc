"""An in-memory target that replaces: applying a release moves the traffic, in two steps, when it becomes ready.

What it gets wrong besides: an operation moves on whenever somebody looks, and never while nobody does.
"""

from __future__ import annotations

from dataclasses import dataclass

from shipper.errors import Conflict, Invalid, NotFound
from shipper.model import Release, Restorable, Revision, Stamp, Traits
from shipper.model.context import Secrets
from shipper.targets.conformance.memory import Memory, MemoryPlace, new_service
from shipper.targets.conformance.memory_target import MemoryTarget
from shipper.targets.conformance.powers import powers_of
from shipper.targets.conformance.values import Values
from shipper.targets.protocol import Retired, Target

TRAITS = Traits(strategies=("rolling",), weight_step=None, probes_revisions=True, needs_registry=False, holds_lock=True)


@dataclass
class Rolling(Memory):
    """The platform's state, and the traffic of before the operation that is under way."""

    before: tuple[tuple[str, int], ...] = ()


class ReplacingTarget(MemoryTarget):
    """Implements Replaces, Probes, Measures, AsksInside, KeysSecrets and Diagnoses."""

    traits = TRAITS

    def __init__(self, rolling: Rolling, secrets: Secrets) -> None:
        super().__init__(rolling, secrets)
        self.rolling = rolling

    def replace(self, release: Release, stamp: Stamp, seen: str) -> Revision:
        """Begins the operation; one under way is never overlapped."""
        with self._writing(stamp, seen):
            if self.memory.in_flight not in (None, release.id):
                raise Conflict(f"an operation is in flight: {self.memory.in_flight}")
            found = self._hold(release)
            if self.memory.in_flight is None and not self.memory.weights.get(found.name):
                self.memory.in_flight = release.id
                self.rolling.before = tuple(self.memory.weights.items())
            return self._shown(found)

    def abort(self, in_flight: str, stamp: Stamp, seen: str) -> None:
        """What was there has its traffic again, in this one write."""
        with self._writing(stamp, seen):
            if self.memory.in_flight != in_flight:
                raise NotFound(f"no operation {in_flight} is under way")
            self.memory.set_weights(dict(self.rolling.before))
            self.memory.in_flight = None

    def restorable(self, release: Release) -> Restorable:
        """Applied again, always: a revision without traffic has no instances."""
        with self.memory.lock:
            return Restorable(problems=tuple(self._gone(release)))

    def _refuse_traffic(self, name: str) -> None:
        super()._refuse_traffic(name)
        found = self._held(self.memory.in_flight or "")
        if found is not None and found.name == name:
            raise Invalid(f"{name} is being rolled out")

    def _move_on(self) -> None:
        """One step: half of the traffic, then all of it, once the new revision is ready."""
        found = self._held(self.memory.in_flight or "")
        if found is None or found.kind not in ("good", "failing"):
            return
        before = [name for name, _ in self.rolling.before if name in self.memory.held]
        if before and not self.memory.weights.get(found.name):
            self.memory.set_weights({before[0]: 50, found.name: 50})
        else:
            self.memory.set_weights({found.name: 100})
            self.memory.in_flight = None
        self.memory.version += 1

    def _retire(self, name: str, to: Retired) -> None:
        super()._retire(name, "stopped" if to == "warm" else to)


class FinishingTarget(ReplacingTarget):
    """Implements Finishes, too: what has to start gets its traffic when it is asked to take it over. What still runs,
    as when it is put back, gets it at once.
    """

    def replace(self, release: Release, stamp: Stamp, seen: str) -> Revision:
        """Begins the operation, or ends it where there is nothing to wait for."""
        with self.memory.lock:
            there = self._held(release.id)
            runs = there is not None and not there.stopped and there.kind in ("good", "failing")
            under_way = self.memory.in_flight == release.id
            found = super().replace(release, stamp, seen)
            if runs and not under_way:
                self.memory.set_weights({found.name: 100})
                self.memory.in_flight = None
        return found

    def finish(self, revision: Revision, stamp: Stamp, seen: str) -> None:
        """All of the traffic, in this one write; nothing is written when it has it already."""
        with self.memory.lock:
            found = self._held(self.memory.in_flight or "")
            if found is None or found.name != revision.name:
                return
            with self._writing(stamp, seen):
                self.memory.set_weights({found.name: 100})
                self.memory.in_flight = None

    def _move_on(self) -> None:
        """It waits for somebody."""


@dataclass(frozen=True)
class ReplacingRig:
    """`finishes`: the platform does not move the traffic by itself."""

    kind: str = "memory replaces"
    traits: Traits = TRAITS
    finishes: bool = False

    @property
    def powers(self) -> frozenset[type]:
        """All but processes of their own."""
        place = self.fresh()
        return powers_of(place.target(place.settings(), Values({})), place)

    def fresh(self, service: str = "") -> MemoryPlace:
        """An empty platform."""
        rolling = Rolling(service or new_service())
        made = FinishingTarget if self.finishes else ReplacingTarget

        def connect(_: Memory, secrets: Secrets) -> Target:
            return made(rolling, secrets)

        return MemoryPlace(connect, rolling)
