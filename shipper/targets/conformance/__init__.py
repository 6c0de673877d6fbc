"""The conformance suite: what an adapter must do, played at a place that its author provides.

An author writes a `Rig` (rig.py) and plays what fits:

    chosen, skipped = scenarios_for(rig.traits, rig.powers)
    for scenario in chosen:
        scenario.play(rig)          # AssertionError says what was not as it must be

The suite knows no test framework; docs/adapters.md shows it under pytest. Two in-memory targets beside it
(memory_splits.py, memory_replaces.py) pass all of it, and are examples of a target in one file.
"""

from shipper.targets.conformance.child import run_in_child
from shipper.targets.conformance.here import Here, changed, expect
from shipper.targets.conformance.memory_replaces import ReplacingRig
from shipper.targets.conformance.memory_splits import SplittingRig
from shipper.targets.conformance.powers import powers_of
from shipper.targets.conformance.rig import (
    Adopts,
    Answer,
    Drifts,
    Ended,
    ImageKind,
    Kill,
    KillsProcesses,
    LosesImages,
    LosesRevisions,
    LosesStamp,
    Place,
    Rig,
    Run,
    RunsCommands,
    StoresSecrets,
)
from shipper.targets.conformance.running import run_here
from shipper.targets.conformance.scenario import Scenario, Skipped, scenario, scenarios_for, suite
from shipper.targets.conformance.table import table
from shipper.targets.conformance.values import Values

__all__ = [
    "Adopts", "Answer", "Drifts", "Ended", "Here", "ImageKind", "Kill", "KillsProcesses", "LosesImages",
    "LosesRevisions", "LosesStamp", "Place", "ReplacingRig", "Rig", "Run", "RunsCommands", "Scenario", "Skipped",
    "SplittingRig", "StoresSecrets", "Values", "changed", "expect", "powers_of", "run_here", "run_in_child", "scenario",
    "scenarios_for", "suite", "table",
]  # fmt: skip
