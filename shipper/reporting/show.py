"""What the reading commands show, for people and as JSON."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence
from typing import Any

import click

from shipper.model.noun import Noun
from shipper.model.quantities import show_duration
from shipper.model.shown import (
    CheckedConfiguration,
    Checkup,
    DescribedPipeline,
    InstalledKind,
    Planned,
    Status,
    Targets,
)
from shipper.model.target import Change, Observation, Verdict

MARKS = {"create": "+", "change": "~", "remove": "-", "keep": " ", "shift": ">"}
STATES = {"ok": "ok", "warning": "warn", "failed": "FAIL"}


def show_text(text: str) -> None:
    """Text as it is, with exactly one newline at the end."""
    click.echo(text.rstrip("\n"))


def show_status(status: Status, *, as_json: bool) -> None:
    """`shipper status`."""
    if as_json:
        _json(status)
        return
    observation = status.observation
    click.echo(f"{status.service} in {status.environment} on {status.target}")
    for line in _serving_lines(observation, status.verdict):
        click.echo(f"  {line}")
    if observation.revisions:
        click.echo("")
        now = time.time()
        rows = [
            (
                f"#{revision.number}" if revision.number else "-",
                revision.name,
                revision.state,
                f"{revision.weight} %",
                f"{show_duration(now - revision.created)} old" if revision.created else "",
            )
            for revision in observation.revisions
        ]
        show_table(("number", "revision", "state", "traffic", "age"), rows)
    for drift in observation.drift:
        click.echo(f"  drift: {drift.field}: expected {drift.ours}, found {drift.found}")


def _serving_lines(observation: Observation, verdict: Verdict | None) -> list[str]:
    main = observation.main
    if main is None:
        return ["nothing serves", "deploy it with `shipper release`"]
    address = observation.address
    lines = [f"serves   {main.name} (release {main.number}), {main.weight} % of the traffic"]
    if address is not None:
        host = f" (Host: {address.host})" if address.host else ""
        lines.append(f"address  {address.url}{host}, reach {address.reach}")
    if verdict is not None:
        well = "verified" if verdict.ok else f"NOT WELL: {verdict.reason}"
        lines.append(f"proof    {verdict.proof}, {well}")
    return lines


def show_plan(planned: Planned, *, as_json: bool) -> None:
    """`shipper plan`."""
    if as_json:
        _json(planned)
        return
    click.echo(f"{planned.service} in {planned.environment} on {planned.target}: {planned.plan.summary}")
    for change in planned.plan.changes:
        click.echo(f"  {_change(change)}")
    for remark in planned.plan.remarks:
        click.echo(f"  note: {remark}")


def _change(change: Change) -> str:
    mark = MARKS[change.action]
    if change.before and change.after and change.before != change.after:
        return f"{mark} {change.subject}: {change.before} -> {change.after}"
    value = change.after or change.before
    return f"{mark} {change.subject}: {value}" if value else f"{mark} {change.subject}"


def show_targets(targets: Targets, *, as_json: bool) -> None:
    """`shipper targets`."""
    if as_json:
        _json(targets)
        return
    if targets.configured:
        click.echo(f"configured in {targets.configuration}")
        rows = [
            (target.name, target.kind, ", ".join(f"{key}={value}" for key, value in target.settings.items()))
            for target in targets.configured
        ]
        show_table(("target", "kind", "settings"), rows)
    else:
        click.echo("no targets configured: the default is the Docker engine of this machine (docker)")
    click.echo("\ninstalled kinds")
    show_table(("kind", "what it can do"), [(kind.kind, _powers(kind)) for kind in targets.installed])


def _powers(kind: InstalledKind) -> str:
    if kind.traits is None:
        return kind.problem
    registry = "needs a registry" if kind.traits.needs_registry else "needs no registry"
    return f"{', '.join(kind.traits.strategies)}; {registry}"


def show_checkup(checkup: Checkup, *, as_json: bool) -> None:
    """`shipper doctor`."""
    if as_json:
        _json(checkup)
        return
    width = max((len(check.name) for check in checkup.checks), default=0)
    for check in checkup.checks:
        click.echo(f"{STATES[check.state]:<4}  {check.name:<{width}}  {check.found}")
        if check.hint and check.state != "ok":
            click.echo(f"{'':<6}{'':<{width}}  -> {check.hint}")
    bad = sum(check.state == "failed" for check in checkup.checks)
    click.echo("everything is in order" if not bad else f"{bad} of {len(checkup.checks)} checks failed")


def show_checked(checked: CheckedConfiguration, *, as_json: bool) -> None:
    """`shipper config check`."""
    if as_json:
        _json(checked)
        return
    names = ", ".join(checked.targets) or "docker (the default)"
    click.echo(f"{checked.path} is in order: {checked.service} in {checked.environment}, targets: {names}")


def show_pipeline(described: DescribedPipeline, *, as_json: bool) -> None:
    """`shipper pipeline show`."""
    if as_json:
        _json(described)
        return
    show_text(described.drawing)


def show_exit_codes(*, as_json: bool) -> None:
    """`shipper version --exit-codes`."""
    from shipper.reporting import exit_codes_table

    rows = exit_codes_table()
    if as_json:
        click.echo(json.dumps([{"code": code, "meaning": meaning} for code, meaning in rows]))
        return
    show_table(("code", "meaning"), [(str(code), meaning) for code, meaning in rows])


def show_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Left-aligned columns, two spaces between them."""
    lines = [tuple(head), *(tuple(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    for line in lines:
        cells = (f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True))
        click.echo(f"  {'  '.join(cells)}".rstrip())


def _json(noun: Noun) -> None:
    value: Any = noun.model_dump(mode="json")
    click.echo(json.dumps({"schema": 1, **value}, ensure_ascii=False))
