"""status: what serves now, as the platform says, what is known of it, and what is not as it should be."""

from __future__ import annotations

from shipper.errors import LedgerError
from shipper.ledger.protocol import Ledger
from shipper.model.shown import Dangling, LedgerShown, Status
from shipper.operations.ledgers import ledger_of
from shipper.operations.serving import look, prove
from shipper.operations.where import Where
from shipper.operations.workspace import open_place
from shipper.pipeline.cancellation import RunCancellation
from shipper.pipeline.clock import WallClock
from shipper.pipeline.remarks import Remarks
from shipper.rollout.known import Known
from shipper.rollout.way_back import way_back


def status(where: Where) -> Status:
    """Observe and verify; never writes. Raises CredentialsError (32), UnreachableError (33)."""
    workspace = open_place(where)
    target, ledger, remarks = workspace.connect(), ledger_of(workspace), Remarks()
    serving = look(target, ledger, remarks)
    return Status(
        service=workspace.service,
        environment=workspace.environment,
        target=workspace.chosen.name,
        observation=serving.observation,
        image=serving.release.reference if serving.release is not None else "",
        verdict=prove(target, serving, workspace.settings, RunCancellation()),
        number=serving.release.number if serving.release is not None else None,
        rollback_to=serving.release.rollback_to if serving.release is not None else None,
        ledger=_ledger(ledger),
        quarantined=serving.known.quarantined,
        whose={one: serving.known.whose(one) for one in serving.known.quarantined},
        dangling=dangling(serving.known),
        remarks=tuple(remarks.texts),
        rollback=way_back(target, serving.known, serving.observation, WallClock().now()),
    )


def dangling(known: Known) -> tuple[Dangling, ...]:
    """Releases of which nobody said how they ended: their runs are at work, or dead."""
    return tuple(
        Dangling(number=release.number, who=release.who, started=release.created)
        for release in known.releases
        if release.outcome == "started"
    )


def _ledger(ledger: Ledger) -> LedgerShown:
    try:
        state = ledger.state()
    except LedgerError as error:
        return LedgerShown(url=ledger.url, problem=error.message)
    return LedgerShown(url=ledger.url, highest=state.highest, serving=state.serving)
