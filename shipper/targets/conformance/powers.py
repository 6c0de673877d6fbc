"""Which optional protocols a target and its place have: what scenarios are chosen by, besides traits."""

from __future__ import annotations

from shipper.targets.conformance.rig import (
    Adopts,
    Drifts,
    KillsProcesses,
    LosesImages,
    LosesRevisions,
    LosesStamp,
    Place,
    RunsCommands,
    StoresSecrets,
)
from shipper.targets.protocol import (
    AsksInside,
    Authorizes,
    Collects,
    Compares,
    Diagnoses,
    Finishes,
    GivesBack,
    KeysSecrets,
    Measures,
    PinsSecrets,
    Probes,
    Renders,
    Replaces,
    RunsOnce,
    SplitsTraffic,
    StoresImages,
    StreamsLogs,
    Target,
)

OF_TARGETS: tuple[type, ...] = (
    SplitsTraffic, Replaces, Probes, Measures, AsksInside, KeysSecrets, Diagnoses, Collects, StreamsLogs,
    RunsOnce, StoresImages, PinsSecrets, Authorizes, Finishes, Renders, GivesBack,
    Compares,
)  # fmt: skip

OF_PLACES: tuple[type, ...] = (
    Drifts, LosesStamp, LosesImages, LosesRevisions, StoresSecrets, RunsCommands, Adopts, KillsProcesses,
)  # fmt: skip


def powers_of(target: Target, place: Place) -> frozenset[type]:
    """The protocols that these two have. No I/O: only whether the members are there."""
    of_target = {power for power in OF_TARGETS if isinstance(target, power)}
    return frozenset(of_target | {power for power in OF_PLACES if isinstance(place, power)})
