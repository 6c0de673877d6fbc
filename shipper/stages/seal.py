"""seal: the result as it is told and kept, and the way back from it."""

from __future__ import annotations

from shipper.errors import LedgerError, PlatformError, ShipperError
from shipper.ledger.protocol import Ledger
from shipper.model import Approval, Deployment, Evidence, Sealed
from shipper.model.all import All
from shipper.model.context import Clock, Reporter
from shipper.pipeline.remarks import Remarks
from shipper.pipeline.stage import stage
from shipper.targets import Target


@stage(version=2, even_if_cancelled=True)
def seal(
    deployment: Deployment,
    approvals: All[Approval],
    evidence: All[Evidence],
    target: Target,
    ledger: Ledger,
    report: Reporter,
    clock: Clock,
) -> Sealed:
    """The run's result; told although a signal came meanwhile, because it serves.

    `approvals` is one where an image was judged in this run, on that `evidence`; in a rollback there is neither.
    """
    for approval in approvals:
        _keep(approval, evidence, ledger, report)
    remarks = tuple(remark for approval in approvals for remark in approval.remarks)
    return Sealed(deployment=deployment, remarks=remarks, rollback=last_line(target, ledger, clock))


def _keep(approval: Approval, evidence: All[Evidence], ledger: Ledger, report: Reporter) -> None:
    """What an image was approved on is kept once for its config digest: the first one stays."""
    records = {type(found).__name__: found.to_record() for found in evidence}
    try:
        ledger.put_evidence(approval.config_digest, {"approval": approval.to_record(), "evidence": records})
    except LedgerError as error:
        report.remark(f"the evidence could not be kept in the ledger: {error.message}")


def last_line(target: Target, ledger: Ledger, clock: Clock) -> str:
    """How to go back from what serves now, or why that is not known: it must not fail a run that went well."""
    from shipper.rollout.known import known
    from shipper.rollout.way_back import way_back

    try:
        observation = target.observe()
        found = known(target, ledger, Remarks(), observation=observation)
        return way_back(target, found, observation, clock.now())
    except (PlatformError, ShipperError) as error:
        return f"not known: {error}"
