"""seal: the result as it is told and kept, and the way back from it."""

from __future__ import annotations

from shipper.errors import LedgerError, NotRecorded, PlatformError, ShipperError
from shipper.ledger.protocol import Ledger
from shipper.model import Approval, Deployment, Evidence, Sealed
from shipper.model.all import All
from shipper.model.context import Cancellation, Clock, Reporter
from shipper.pipeline.remarks import Remarks
from shipper.pipeline.stage import stage
from shipper.rollout.patience import OutOfTime, Patience, last_patience
from shipper.targets import Target


@stage(version=2, even_if_cancelled=True, unfinished=NotRecorded)
def seal(
    deployment: Deployment,
    approvals: All[Approval],
    evidence: All[Evidence],
    target: Target,
    ledger: Ledger,
    report: Reporter,
    cancel: Cancellation,
    clock: Clock,
) -> Sealed:
    """The run's result; told although a signal came meanwhile, because it serves. What cannot be had in the time that
    is left then is left out.

    `approvals` is one where an image was judged in this run, on that `evidence`; in a rollback there is neither.
    """
    for approval in approvals:
        _keep(approval, evidence, ledger, report, last_patience(cancel, clock))
    remarks = tuple(remark for approval in approvals for remark in approval.remarks)
    rollback = _last_line(target, ledger, clock, last_patience(cancel, clock))
    return Sealed(deployment=deployment, remarks=remarks, rollback=rollback)


def _keep(approval: Approval, evidence: All[Evidence], ledger: Ledger, report: Reporter, patience: Patience) -> None:
    """What an image was approved on is kept once for its config digest: the first one stays."""
    records = {type(found).__name__: found.to_record() for found in evidence}
    record = {"approval": approval.to_record(), "evidence": records}
    try:
        patience.read(lambda: ledger.put_evidence(approval.config_digest, record))
    except LedgerError as error:
        report.remark(f"the evidence could not be kept in the ledger: {error.message}")
    except OutOfTime:
        report.remark("no time was left to keep the evidence in the ledger: it may be there all the same")


def _last_line(target: Target, ledger: Ledger, clock: Clock, patience: Patience) -> str:
    """How to go back from what serves now, or why that is not known: it must not fail a run that went well."""
    from shipper.rollout.known import known
    from shipper.rollout.way_back import way_back

    def found() -> str:
        observation = target.observe()
        return way_back(target, known(target, ledger, Remarks(), observation=observation), observation, clock.now())

    try:
        return patience.read(found)
    except (PlatformError, ShipperError) as error:
        return f"not known: {error}"
    except OutOfTime:
        return "not known: no time was left"
