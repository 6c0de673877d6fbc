"""The suite's result, as it is printed: every scenario, on every target."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from shipper.targets.conformance.scenario import scenarios

Played = Literal["passed", "FAILED"]


def table(results: Mapping[str, Mapping[str, str]]) -> str:
    """Kind of target to scenario name to "passed", "FAILED" or a reason for skipping; "-" for what is not there.

    One line for each scenario, one column for each kind; reasons for skipping follow as notes.
    """
    kinds = list(results)
    notes: list[str] = []
    width = max(len(one.name) for one in scenarios())
    lines = ["  ".join([f"{'scenario':<{width}}", *(f"{kind:<16}" for kind in kinds)]).rstrip()]
    for one in scenarios():
        cells = [_cell(results[kind].get(one.name, "-"), notes) for kind in kinds]
        lines.append("  ".join([f"{one.name:<{width}}", *(f"{cell:<16}" for cell in cells)]).rstrip())
    return "\n".join([*lines, *(f"({at}) skipped: {note}" for at, note in enumerate(notes, 1))])


def _cell(result: str, notes: list[str]) -> str:
    if result in ("passed", "FAILED", "-"):
        return result
    if result not in notes:
        notes.append(result)
    return f"skipped ({notes.index(result) + 1})"
