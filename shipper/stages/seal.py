"""seal: the result as it is told and kept."""

from __future__ import annotations

from shipper.model import Approval, Deployment, Sealed

NO_LEDGER = "not available yet (no ledger)"


def seal(deployment: Deployment, approval: Approval) -> Sealed:
    """The release's result. The ledger that makes a rollback possible comes with `shipper rollback`."""
    return Sealed(deployment=deployment, remarks=approval.remarks, rollback=NO_LEDGER)
