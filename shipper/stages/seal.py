"""seal: the result as it is told and kept."""

from __future__ import annotations

from shipper.model import Approval, Deployment, Sealed
from shipper.pipeline.stage import stage

NO_LEDGER = "not available yet (no ledger)"


@stage(even_if_cancelled=True)
def seal(deployment: Deployment, approval: Approval) -> Sealed:
    """The release's result; told although a signal came meanwhile, because it serves.

    The ledger that makes a rollback possible comes with `shipper rollback`.
    """
    return Sealed(deployment=deployment, remarks=approval.remarks, rollback=NO_LEDGER)
