"""What is shown of earlier releases: the history, what a rollback would change, what clean-up would take."""

from __future__ import annotations

import time
from collections.abc import Iterator

import click

from shipper.model import known_as
from shipper.model.quantities import show_duration, show_size
from shipper.model.shown import History, HistoryLine, PlannedGc, PlannedRollback
from shipper.reporting.show import show_change, show_json, show_table, show_whose
from shipper.reporting.words import printable


def show_history(history: History, *, as_json: bool) -> None:
    """`shipper history`."""
    if as_json:
        show_json(history)
        return
    click.echo(f"{history.service} in {history.environment} on {history.target}")
    if not history.releases:
        click.echo("  no release is known")
    else:
        head = ("", "release", "when", "ended", "served for", "who", "commit", "image")
        show_table(head, [_row(line) for line in history.releases])
    for remark in history.remarks:
        click.echo(f"  note: {printable(remark)}")


def _row(line: HistoryLine) -> tuple[str, ...]:
    back = f" (rollback to #{line.rollback_to})" if line.rollback_to is not None else ""
    reason = f": {line.reason}" if line.reason else ""
    cells = (
        "*" if line.serves else "",
        f"#{line.number}{back}{reason}",
        time.strftime("%Y-%m-%d %H:%M", time.localtime(line.started)),
        _ended(line),
        show_duration(line.served) if line.served is not None else "",
        line.who,
        (line.commit or "")[:10],
        known_as(line.image, line.reference),
    )
    return tuple(printable(cell) for cell in cells)


def _ended(line: HistoryLine) -> str:
    if line.outcome is None:
        return "verified" if line.verified else "not known"
    if line.outcome == "verified":
        return f"verified ({line.proof})"
    return f"{line.outcome} ({line.cause})" if line.cause else line.outcome


def show_rollback(planned: PlannedRollback, *, as_json: bool) -> None:
    """`shipper rollback --dry-run`."""
    if as_json:
        show_json(planned)
        return
    click.echo(f"{planned.service} in {planned.environment} on {planned.target}")
    for line in _rollback_lines(planned):
        click.echo(f"  {printable(line)}")
    click.echo("nothing was written")


def _rollback_lines(planned: PlannedRollback) -> Iterator[str]:
    healthy = f", healthy for {show_duration(planned.healthy_for)}" if planned.healthy_for is not None else ""
    age = f" ({show_duration(planned.age)} old{healthy})" if planned.age is not None else ""
    serves = planned.serves or "nothing"
    if planned.nothing:
        yield f"nothing to do: {planned.to} already serves"
    else:
        yield f"would go back from {serves} to {planned.to}{age}"
        yield "it is warm: one write brings it back" if planned.warm else "it has to start first"
    yield from (show_change(change) for change in planned.changes)
    yield from (f"would be quarantined: {show_whose(one, planned.whose)}" for one in planned.quarantine)
    yield from (f"would be out of quarantine: {show_whose(one, planned.whose)}" for one in planned.lift)
    yield from (f"note: {remark}" for remark in planned.remarks)
    yield from (f"IMPOSSIBLE: {problem}" for problem in planned.problems)


def show_garbage(planned: PlannedGc, *, as_json: bool) -> None:
    """`shipper gc --plan`."""
    if as_json:
        show_json(planned)
        return
    click.echo(f"{planned.service} in {planned.environment} on {planned.target}")
    click.echo(f"  stays: {', '.join(f'#{number}' for number in planned.keep) or 'nothing is here'}")
    if not planned.garbage:
        click.echo("  nothing to clear away")
        return
    rows = [
        (one.kind, printable(one.name), show_size(one.size) if one.size is not None else "", printable(one.why))
        for one in planned.garbage
    ]
    show_table(("would go", "name", "size", "why"), rows)
    click.echo(f"{show_size(planned.bytes)} in all; nothing was written")
