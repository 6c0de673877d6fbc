"""rollout: from the lease to the proof, and putting things back (shipper.rollout does the work)."""

from __future__ import annotations

from shipper.errors import NotPutBack
from shipper.ledger.protocol import Ledger
from shipper.model import Deployable, Deployment, Order, TargetSettings
from shipper.model.context import Cancellation, Clock, Reporter, Secrets
from shipper.pipeline.stage import stage
from shipper.targets import Target


@stage(version=2, unfinished=NotPutBack)
def rollout(
    deployable: Deployable,
    order: Order,
    chosen: TargetSettings,
    target: Target,
    ledger: Ledger,
    secrets: Secrets,
    report: Reporter,
    cancel: Cancellation,
    clock: Clock,
) -> Deployment:
    """What serves afterwards, verified and recorded. Never reused: every run observes again."""
    from shipper.rollout.roll_out import roll_out

    return roll_out(deployable, order, chosen, target, ledger, secrets, report, cancel, clock)
