"""gc: what no way back needs goes; never what serves, and never the last verified releases."""

from __future__ import annotations

from collections.abc import Sequence

from shipper.errors import PlatformError, PolicyError, UsageError
from shipper.ledger.fold import VERIFIED
from shipper.ledger.protocol import Ledger
from shipper.model import Garbage, Observation, RunFinished
from shipper.model.context import Reporter
from shipper.model.quantities import show_count, show_size
from shipper.model.shown import PlannedGc
from shipper.operations.holding import Held, holding
from shipper.operations.kept import images_of, kept
from shipper.operations.ledgers import ledger_of
from shipper.operations.orders import order_of
from shipper.operations.services import open_place_of
from shipper.operations.telling import Telling, tell
from shipper.operations.where import Where
from shipper.operations.workspace import Workspace, open_place
from shipper.pipeline.events import Sink
from shipper.pipeline.remarks import Remarks
from shipper.rollout.known import known
from shipper.rollout.platform_errors import not_written
from shipper.targets import Collects, Target


def plan_gc(where: Where, keep: int | None) -> PlannedGc:
    """What would go. Writes nothing. Raises PolicyError (16) when nobody knows what a way back needs."""
    workspace = open_place(where)
    target, ledger = workspace.connect(), ledger_of(workspace)
    try:
        observation = target.observe()
        numbers, images = _kept(target, ledger, observation, _count(workspace, keep), Remarks())
        garbage = tuple(_collecting(target).garbage(numbers, images))
    except PlatformError as error:
        raise not_written(error) from error
    return PlannedGc(
        service=workspace.service,
        environment=workspace.environment,
        target=workspace.chosen.name,
        keep=numbers,
        garbage=garbage,
    )


def gc(where: Where, keep: int | None, sinks: Sequence[Sink], *, wait: float = 0.0) -> int:
    """The same, done under the lease; the exit code."""
    return tell(sinks, lambda telling: _gc(where, keep, wait, telling))


def _gc(where: Where, keep: int | None, wait: float, telling: Telling) -> RunFinished:
    workspace = open_place(where)
    telling.begin("gc", workspace)
    place, order = open_place_of(workspace, telling), order_of(telling.run, "gc", wait=wait)
    with telling.stage("gc") as report, holding(place, order, telling, report) as held:
        gone = clear_away(held, _count(workspace, keep), report)
    size = f", {show_size(_size(gone))}" if _size(gone) else ""
    message = f"{show_count(len(gone), 'thing')} cleared away{size}" if gone else "nothing to clear away"
    return RunFinished(code=0, cause="cleared" if gone else "nothing-to-do", message=message)


def clear_away(held: Held, count: int, report: Reporter) -> tuple[Garbage, ...]:
    """Everything but what serves and the newest `count` verified releases. Returns what went, nothing else.

    What has come into use since it was looked at is left alone by the target. Raises PlatformError.
    """
    target = held.place.target
    collecting = _collecting(target)
    observation = held.writer.observe()
    garbage = tuple(collecting.garbage(*_kept(target, held.place.ledger, observation, count, report)))
    for one in garbage:
        report.log(f"{one.kind} {one.name}: {one.why}")
    if not garbage:
        return ()
    many = show_count(len(garbage), "thing")
    report.progress(f"clearing away {many}")
    return held.writer.write(lambda now, stamp: collecting.collect(garbage, stamp, now.seen), f"clear away {many}")


def _kept(
    target: Target, ledger: Ledger, observation: Observation, count: int, report: Reporter
) -> tuple[tuple[int, ...], frozenset[str]]:
    """The numbers of the releases that stay able to come back, and the config digests of their images."""
    found = known(target, ledger, report, observation=observation, whole=count > VERIFIED)
    if found.records and not any(release.verified for release in found.releases):
        raise PolicyError(
            "nothing here is known to have been verified: clean-up could take the way back",
            hint="`shipper status --repair` verifies and records what serves",
        )
    numbers = kept(found, observation, count)
    return numbers, images_of(found, numbers)


def _collecting(target: Target) -> Collects:
    if not isinstance(target, Collects):
        raise UsageError(
            f"a {target.kind} target keeps nothing that shipper could clear away",
            hint="the platform's own tools show what it keeps",
        )
    return target


def _count(workspace: Workspace, keep: int | None) -> int:
    return workspace.settings.rollback.releases if keep is None else keep


def _size(garbage: Sequence[Garbage]) -> int:
    return sum(one.size or 0 for one in garbage)
