"""The suite's result, as it is printed: every scenario, on every target."""

from __future__ import annotations

from collections.abc import Mapping

from shipper.targets.conformance.scenario import suite


def table(results: Mapping[str, Mapping[str, str]]) -> str:
    """Kind of target to scenario name to "passed", "FAILED" or a reason for skipping.

    One line for each scenario, one column for each kind; reasons for skipping follow as notes. "-" was not played.
    """
    notes: list[str] = []
    rows = [("scenario", *results)]
    rows += [
        (one.name, *(_cell(found.get(one.name, "-"), notes) for found in results.values()))
        for one in suite()
        if any(one.name in found for found in results.values())
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([*lines, *(f"({at}) skipped: {note}" for at, note in enumerate(notes, 1))])


def _cell(result: str, notes: list[str]) -> str:
    if result in ("passed", "FAILED", "-"):
        return result
    if result not in notes:
        notes.append(result)
    return f"skipped ({notes.index(result) + 1})"
