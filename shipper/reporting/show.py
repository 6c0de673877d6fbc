"""What the reading commands show, for people and as JSON."""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

import click

from shipper.errors import Interrupted
from shipper.model.noun import Noun
from shipper.model.quantities import show_duration
from shipper.model.release import Revision
from shipper.model.shown import (
    CheckedConfiguration,
    Checkup,
    DescribedPipeline,
    InstalledKind,
    Planned,
    Status,
    Targets,
    ToRemove,
    Verified,
)
from shipper.model.target import Change, Drift
from shipper.reporting.words import printable

MARKS = {"create": "+", "change": "~", "remove": "-", "keep": " ", "shift": ">"}
STATES = {"ok": "ok", "warning": "warn", "failed": "FAIL"}


def show_text(text: str) -> None:
    """Text as it is, with exactly one newline at the end."""
    click.echo(text.rstrip("\n"))


def show_status(status: Status, *, as_json: bool) -> None:
    """`shipper status`."""
    if as_json:
        show_json(status)
        return
    observation = status.observation
    click.echo(f"{status.service} in {status.environment} on {status.target}")
    for line in _status_lines(status):
        click.echo(f"  {printable(line)}")
    if observation.revisions:
        click.echo("")
        now = time.time()
        rows = [
            (
                f"#{revision.number}" if revision.number is not None else "-",
                revision.name,
                _state(revision, observation.idle),
                f"{revision.weight} %",
                f"{show_duration(now - revision.created)} old" if revision.created else "",
            )
            for revision in observation.revisions
        ]
        show_table(("number", "revision", "state", "traffic", "age"), rows)
    _show_drift(observation.drift)
    for remark in status.remarks:
        click.echo(f"  note: {printable(remark)}")
    click.echo(f"rollback: {printable(status.rollback)}")


def _state(revision: Revision, idle: Collection[str]) -> str:
    return "ready, scaled to zero" if revision.name in idle else revision.state


def _status_lines(status: Status) -> Iterator[str]:
    main, address, verdict = status.observation.main, status.observation.address, status.verdict
    if main is None:
        yield "nothing serves; deploy it with `shipper release`"
    else:
        yield f"serves       {_number(status)} {main.name}, {main.weight} % of the traffic"
    if status.image:
        yield f"image        {status.image}"
    if main is not None and address is not None:
        host = f" (Host: {address.host})" if address.host else ""
        yield f"address      {address.url}{host}, reach {address.reach}"
    if verdict is not None:
        well = "verified" if verdict.ok else f"NOT WELL: {verdict.reason}"
        yield f"proof        {verdict.proof}, {well}"
    yield from _record_lines(status)


def _number(status: Status) -> str:
    if status.number is None:
        return "(no release that is known)"
    back = f" (rollback to #{status.rollback_to})" if status.rollback_to is not None else ""
    return f"#{status.number}{back},"


def _record_lines(status: Status) -> Iterator[str]:
    """Ledger and stamp; what is quarantined; whose end nobody has told."""
    stamp, ledger = status.observation.stamp, status.ledger
    if ledger is not None:
        yield f"ledger       {ledger.url}: {ledger.problem or f'up to #{ledger.highest}'}"
    if stamp.highest:
        verified = ", ".join(f"#{number}" for number in stamp.verified) or "none"
        yield f"stamp        up to #{stamp.highest}, epoch {stamp.epoch}, verified: {verified}"
    if status.quarantined:
        each = (show_whose(one, status.whose) for one in status.quarantined)
        yield f"quarantined  {', '.join(each)} (`shipper rollback --to` lifts it)"
    for one in status.dangling:
        who = f" by {one.who}" if one.who else ""
        yield f"started      #{one.number} was begun{who}: its run is at work, or died (`shipper status --repair`)"


def show_whose(digits: str, whose: Mapping[str, str]) -> str:
    """Such as "#3 (9f2c31d04b7a)": the releases that these digits are of, where that is known."""
    names = whose.get(digits)
    return f"{names} ({digits})" if names else digits


def show_verified(verified: Verified, *, as_json: bool) -> None:
    """`shipper verify`."""
    if as_json:
        show_json(verified)
        return
    verdict, where = verified.verdict, f"{verified.service} in {verified.environment} on {verified.target}"
    if verdict.ok:
        address = f" at {verified.address}" if verified.address else ""
        click.echo(printable(f"{where}: {verified.serves} serves{address}, proof: {verdict.proof}"))
        return
    click.echo(printable(f"{where}: NOT WELL: {verdict.reason}"), err=True)
    known = "`shipper status` shows how to go back; `shipper logs` shows what it wrote"
    step = (verdict.hint or known) if verified.serves else "deploy it with `shipper release`"
    click.echo(printable(f"next: {step}"), err=True)


def show_removal(planned: ToRemove) -> None:
    """What `shipper remove` is about to take away."""
    click.echo(f"{planned.service} in {planned.environment} on {planned.target}", err=True)
    click.echo(f"  address    {planned.address or 'none'}: nothing answers there afterwards", err=True)
    click.echo(f"  revisions  {', '.join(planned.revisions) or 'none'}", err=True)
    click.echo("  and its records, secret values and images there", err=True)
    click.echo("  a rollback afterwards has only what the ledger and a registry keep", err=True)


def ask_whether(question: str) -> None:
    """On the terminal. Raises Interrupted when the answer is no."""
    if not click.confirm(question, err=True):
        raise Interrupted("not removed", hint="nothing was changed", cause="declined")


def show_plan(planned: Planned, *, as_json: bool) -> None:
    """`shipper plan`."""
    if as_json:
        show_json(planned)
        return
    click.echo(f"{planned.service} in {planned.environment} on {planned.target}: {planned.plan.summary}")
    click.echo(f"  rollout: {planned.strategy}")
    for change in planned.plan.changes:
        click.echo(f"  {show_change(change)}")
    _show_drift(planned.drift)
    for remark in (*planned.remarks, *planned.plan.remarks):
        click.echo(f"  note: {printable(remark)}")


def _show_drift(found: Iterable[Drift]) -> None:
    for drift in found:
        click.echo(f"  drift: {printable(f'{drift.field}: expected {drift.ours}, found {drift.found}')}")


def show_change(change: Change) -> str:
    """`~ run.memory: 512.0 MB -> 256.0 MB`."""
    mark = MARKS[change.action]
    if change.before and change.after and change.before != change.after:
        return f"{mark} {change.subject}: {change.before} -> {change.after}"
    value = change.after or change.before
    return f"{mark} {change.subject}: {value}" if value else f"{mark} {change.subject}"


def show_targets(targets: Targets, *, as_json: bool) -> None:
    """`shipper targets`."""
    if as_json:
        show_json(targets)
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
        show_json(checkup)
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
        show_json(checked)
        return
    names = ", ".join(checked.targets) or "docker (the default)"
    click.echo(f"{checked.path} is in order: {checked.service} in {checked.environment}, targets: {names}")


def show_pipeline(described: DescribedPipeline, *, as_json: bool) -> None:
    """`shipper pipeline show`."""
    if as_json:
        show_json(described)
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


def show_json(noun: Noun) -> None:
    """One object on one line, with a schema number."""
    value: Any = noun.model_dump(mode="json")
    click.echo(json.dumps({"schema": 1, **value}, ensure_ascii=False))
