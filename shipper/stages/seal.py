"""seal: the result as it is told and kept, and the way back from it."""

from __future__ import annotations

from shipper.errors import PlatformError, ShipperError
from shipper.ledger.protocol import Ledger
from shipper.model import Approval, Deployment, Sealed
from shipper.model.all import All
from shipper.model.context import Clock
from shipper.pipeline.remarks import Remarks
from shipper.pipeline.stage import stage
from shipper.targets import Target


@stage(even_if_cancelled=True)
def seal(deployment: Deployment, approvals: All[Approval], target: Target, ledger: Ledger, clock: Clock) -> Sealed:
    """The run's result; told although a signal came meanwhile, because it serves.

    `approvals` is one where an image was judged in this run, and none in a rollback.
    """
    remarks = tuple(remark for approval in approvals for remark in approval.remarks)
    return Sealed(deployment=deployment, remarks=remarks, rollback=last_line(target, ledger, clock))


def last_line(target: Target, ledger: Ledger, clock: Clock) -> str:
    """How to go back from what serves now, or why that is not known: it must not fail a run that went well."""
    from shipper.rollout.known import known
    from shipper.rollout.way_back import way_back

    try:
        observation = target.observe()
        return way_back(target, known(target, ledger, Remarks()), observation, clock.now())
    except (PlatformError, ShipperError) as error:
        return f"not known: {error}"
