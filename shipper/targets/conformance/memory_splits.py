"""An in-memory target that splits traffic by weight."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from shipper.errors import Invalid
from shipper.model import Release, Revision, Stamp, Traits
from shipper.model.context import Secrets
from shipper.targets.conformance.memory import FOREIGN, Held, Memory, MemoryPlace, new_service
from shipper.targets.conformance.memory_target import MemoryTarget
from shipper.targets.conformance.powers import powers_of
from shipper.targets.conformance.values import Values
from shipper.targets.protocol import Target

TRAITS = Traits(
    strategies=("all-at-once", "blue-green", "canary", "recreate"),
    weight_step=1,
    max_sharing=2,
    probes_revisions=True,
    needs_registry=False,
    holds_lock=True,
)


class SplittingTarget(MemoryTarget):
    """Implements SplitsTraffic, Probes, Measures, AsksInside, KeysSecrets and Diagnoses."""

    def __init__(self, memory: Memory, secrets: Secrets, traits: Traits = TRAITS) -> None:
        super().__init__(memory, secrets)
        self.traits = traits

    def create(self, release: Release, stamp: Stamp, seen: str) -> Revision:
        """Without traffic, but where nothing serves yet and the trait says so."""
        with self._writing(stamp, seen):
            first = not self.memory.held
            found = self._hold(release)
            if first and self.traits.first_create_serves:
                self.memory.set_weights({found.name: 100})
            return self._shown(found)

    def shift(self, weights: Mapping[str, int], stamp: Stamp, seen: str) -> None:
        """All of it in one write."""
        with self._writing(stamp, seen):
            self._refuse(weights)
            self.memory.set_weights(weights)

    def _refuse(self, weights: Mapping[str, int]) -> None:
        held, traits = self.memory.held, self.traits
        sharing = [name for name, weight in weights.items() if weight]
        if weights and sum(weights.values()) != 100:
            raise Invalid(f"weights sum to {sum(weights.values())}")
        if unfit := [name for name in sharing if name not in held or held[name].stopped]:
            raise Invalid(f"not running here: {', '.join(unfit)}")
        if len(sharing) > traits.max_sharing:
            raise Invalid(f"{len(sharing)} revisions cannot share traffic")
        if uneven := [weight for weight in weights.values() if weight % (traits.weight_step or 100)]:
            raise Invalid(f"weights come in steps of {traits.weight_step or 100} %: {uneven}")


class SplittingPlace(MemoryPlace):
    """Something foreign can serve here before shipper comes."""

    def adopt(self, text: str) -> None:
        """A server that nobody of ours made."""
        with self.memory.lock:
            self.memory.held[FOREIGN] = Held(FOREIGN, None, "good", text)
            self.memory.set_weights({FOREIGN: 100})
            self.memory.version += 1


@dataclass(frozen=True)
class SplittingRig:
    """`traits` may be narrowed (steps as of a load balancer, a first create that serves); `make` another target."""

    kind: str = "memory splits"
    traits: Traits = TRAITS
    make: type[SplittingTarget] = SplittingTarget

    @property
    def powers(self) -> frozenset[type]:
        """All but processes of their own."""
        place = self.fresh()
        return powers_of(place.target(place.settings(), Values({})), place)

    def fresh(self, service: str = "") -> SplittingPlace:
        """An empty platform."""

        def connect(memory: Memory, secrets: Secrets) -> Target:
            return self.make(memory, secrets, self.traits)

        return SplittingPlace(connect, Memory(service or new_service()))
