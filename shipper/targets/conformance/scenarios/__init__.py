"""The suite. Importing this package makes its scenarios known, in the order in which they are printed."""

from shipper.targets.conformance.scenarios import (  # isort: skip
    releases,
    strategies,
    commands,
    failures,
    cancelling,
    faults,
    rollbacks,
    losses,
    drifting,
    adopting,
    naming,
    kills,
    conflicts,
    fences,
    revisions,
    pinning,
    asking,
)

__all__ = [
    "releases", "strategies", "commands", "failures", "cancelling", "faults", "rollbacks", "losses", "drifting",
    "adopting", "naming", "kills", "conflicts", "fences", "revisions", "pinning", "asking",
]  # fmt: skip
