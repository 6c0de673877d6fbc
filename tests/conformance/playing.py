"""The suite under pytest: one test for each scenario that a target can play, and the table at the end."""

from __future__ import annotations

from typing import Any

import pytest

from shipper.targets.conformance import Rig, Scenario, scenarios_for, table

RESULTS: dict[str, dict[str, str]] = {}
"""Kind of target to scenario to how it ended: "passed", "FAILED", or why it was not played."""


def played(rig: Rig, *, exhaustive: bool | None = None) -> pytest.MarkDecorator:
    """Parametrises a test by `scenario`; what the target cannot play is noted with its reason.

    `exhaustive` takes only the scenarios that are, or only those that are not.
    """
    chosen, skipped = scenarios_for(rig.traits, rig.powers)
    RESULTS[rig.kind] = {one.scenario.name: one.reason for one in skipped}
    chosen = tuple(one for one in chosen if exhaustive in (None, one.exhaustive))
    return pytest.mark.parametrize("scenario", chosen, ids=[one.name.replace(" ", "-") for one in chosen])


def play(scenario: Scenario, rig: Rig) -> None:
    """Play it, and note how it ended."""
    RESULTS.setdefault(rig.kind, {})[scenario.name] = "FAILED"
    scenario.play(rig)
    RESULTS[rig.kind][scenario.name] = "passed"


def show(terminalreporter: Any) -> None:
    """The table of what was played in this run."""
    shown = {kind: found for kind, found in RESULTS.items() if {"passed", "FAILED"} & set(found.values())}
    if shown:
        terminalreporter.section("conformance")
        terminalreporter.write_line(table(shown))
