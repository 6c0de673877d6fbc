"""rollback: back to what served well before, told as events; or what that would change, without a write."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, cast

from shipper.errors import PlatformError
from shipper.model import Change, Product, RunFinished, Sealed, Wanted
from shipper.model.shown import PlannedRollback
from shipper.operations.differences import as_counted, differences
from shipper.operations.ledgers import ledger_of
from shipper.operations.orders import order_of
from shipper.operations.services import keep_in_mind, open_place_of
from shipper.operations.telling import Telling, done, tell
from shipper.operations.where import Where
from shipper.operations.workspace import open_place
from shipper.pipeline.clock import WallClock
from shipper.pipeline.events import Sink
from shipper.pipeline.remarks import Remarks
from shipper.rollout.platform_errors import not_written
from shipper.stages.select import Found, look_back
from shipper.targets import Compares, Target


def wanted(to: str | None, *, secrets: str | None, quarantine_image: bool, reason: str) -> Wanted:
    """The options of the command line."""
    which = cast(Literal["pinned", "current"] | None, secrets)
    return Wanted(to=to, secrets=which, quarantine_image=quarantine_image, reason=reason)


def rollback(where: Where, what: Wanted, sinks: Sequence[Sink], *, wait: float = 0.0) -> int:
    """Run the rollback pipeline and return the exit code; every ending is told as the event `run-finished`."""
    return tell(sinks, lambda telling: _rollback(where, what, wait, telling))


def _rollback(where: Where, what: Wanted, wait: float, telling: Telling) -> RunFinished:
    workspace = open_place(where)
    telling.begin("rollback", workspace)
    place = open_place_of(workspace, telling)
    order = order_of(telling.run, "rollback", wait=wait, reason=what.reason)
    seeds: tuple[Product, ...] = (order, what, workspace.settings, workspace.chosen)
    try:
        product = telling.carry_out("rollback", Sealed, seeds, place.by_name())
    finally:
        keep_in_mind(workspace, place, telling)
    number = product.deployment.number
    return done(product, verb="rolled-back", nothing=f"release {number} already serves, which is what was asked for")


def plan_rollback(where: Where, what: Wanted) -> PlannedRollback:
    """What would come back, what that changes, and whether it can. Writes nothing.

    Raises RollbackImpossible (23) when there is nothing to go back to, UsageError (2), UnreachableError (33).
    """
    workspace = open_place(where)
    remarks = Remarks()
    target = workspace.connect()
    found = look_back(what, target, ledger_of(workspace), remarks, WallClock().now())
    choice = found.choice
    return PlannedRollback(
        service=workspace.service,
        environment=workspace.environment,
        target=workspace.chosen.name,
        to=f"#{choice.number}",
        serves=_serves(found),
        nothing=found.nothing_to_do,
        warm=found.warm,
        age=choice.age,
        healthy_for=choice.healthy_for,
        changes=_changes(found, target),
        quarantine=found.quarantine,
        lift=choice.lift,
        whose={one: found.known.whose(one) for one in (*found.quarantine, *choice.lift)},
        problems=found.problems,
        remarks=tuple(remarks.texts),
    )


def _changes(found: Found, target: Target) -> tuple[Change, ...]:
    if found.release is None:
        return ()
    coming = as_counted(found.release, found.serving, found.observation, warm=found.warm)
    alike = differences(found.serving, coming, found.secret_versions)
    if found.serving is None or not isinstance(target, Compares):
        return alike
    try:
        return (*alike, *target.differences(found.serving, found.release))
    except PlatformError as error:
        raise not_written(error) from error


def _serves(found: Found) -> str:
    main = found.observation.main
    if main is None:
        return ""
    release = found.known.serving(main)
    if release is None:
        return main.name if main.number is None else f"#{main.number} ({main.name})"
    back = f"rollback to #{release.rollback_to}, " if release.rollback_to is not None else ""
    return f"#{release.number} ({back}{main.name})"
