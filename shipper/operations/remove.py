"""remove: the service goes from a target, with everything of it there."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from shipper.errors import HalfDone, LedgerError, NotPutBack, PlatformError, UsageError
from shipper.model import Observation, Removed, RunFinished
from shipper.model.shown import ToRemove
from shipper.operations.holding import Held, holding
from shipper.operations.orders import order_of
from shipper.operations.places import forget
from shipper.operations.services import open_place_of
from shipper.operations.telling import Telling, tell
from shipper.operations.where import Where
from shipper.operations.workspace import open_place
from shipper.pipeline.events import Sink
from shipper.rollout.platform_errors import not_written
from shipper.rollout.writes import weights_of
from shipper.targets import Target


def require_consent() -> None:
    """Raises UsageError (2) where nobody can be asked."""
    if not sys.stdin.isatty():
        raise UsageError(
            "remove takes everything of the service away, and there is no terminal to ask on",
            hint="pass --yes when that is meant",
        )


def plan_removal(where: Where) -> ToRemove:
    """What would go. Writes nothing. Raises CredentialsError (32), UnreachableError (33)."""
    workspace = open_place(where)
    try:
        observation = workspace.connect().observe()
    except PlatformError as error:
        raise not_written(error) from error
    return ToRemove(
        service=workspace.service,
        environment=workspace.environment,
        target=workspace.chosen.name,
        revisions=tuple(revision.name for revision in observation.revisions),
        address=observation.address.url if observation.address is not None else "",
    )


def remove(where: Where, sinks: Sequence[Sink], *, wait: float = 0.0) -> int:
    """Remove, record it, and return the exit code: 24 without the ledger, 22 when only a part is gone. Idempotent."""
    return tell(sinks, lambda telling: _remove(where, wait, telling))


def _remove(where: Where, wait: float, telling: Telling) -> RunFinished:
    workspace = open_place(where)
    telling.begin("remove", workspace)
    place, order = open_place_of(workspace, telling), order_of(telling.run, "remove", wait=wait)
    with telling.stage("remove") as report, holding(place, order, telling, report) as held:
        report.progress(f"removing {workspace.service} from {workspace.chosen.name}")
        released = any(one.release for one in held.writer.last.revisions)
        with telling.cancel.unfinished(NotPutBack):
            _take_away(held)
        telling.what_serves = None
        forget(workspace.service, workspace.environment, workspace.chosen.name, os.environ)
        what = f"{workspace.service} in {workspace.environment}"
        message = f"{what} is removed from {workspace.chosen.name}"
        if not released:
            message = f"no release of {what} was on {workspace.chosen.name}, and nothing of it is left there"
        try:
            held.record(Removed(by=order.by))
        except LedgerError as error:
            raise held.not_recorded(message) from error
    held.require_recorded(message)
    return RunFinished(code=0, cause="removed", message=message)


def _take_away(held: Held) -> None:
    """Raises NotPutBack (22) when only a part is gone, or nobody can tell; PlatformError when all is as it was."""
    target, writer = held.place.target, held.writer
    before = writer.last
    try:
        writer.write(lambda now, stamp: target.remove(stamp, now.seen), "remove the service")
    except PlatformError as error:
        if not isinstance(error, HalfDone) and _is_as_before(target, before):
            raise
        raise NotPutBack(
            f"the service is removed in part: {error}",
            hint="run `shipper remove` again: it goes on where this run ended",
            cause="removed-in-part",
        ) from error


def _is_as_before(target: Target, before: Observation) -> bool:
    """As far as the target tells: where the traffic is, what there is, and what of it is missing."""
    try:
        return _told(target.observe()) == _told(before)
    except PlatformError:
        return False


def _told(found: Observation) -> tuple[object, ...]:
    return weights_of(found), {one.name for one in found.revisions}, set(found.drift)
