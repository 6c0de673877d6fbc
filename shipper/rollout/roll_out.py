"""From the lease to the proof: bring a deployable into service, record it, and put things back if it does not work."""

from __future__ import annotations

from shipper.ledger.protocol import Ledger
from shipper.model import Deployable, Deployment, Order, TargetSettings
from shipper.model.context import Cancellation, Clock, Reporter, Secrets
from shipper.rollout.guards import guard_lease
from shipper.rollout.lease import held
from shipper.rollout.run import Run
from shipper.rollout.under_lease import UnderLease
from shipper.targets import Target


def roll_out(
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
    """What serves afterwards, verified and recorded.

    Raises, with nothing written: UsageError (2), PolicyError (16), RollbackImpossible (23), LockedError (30; Overtaken
    too), DriftError (31), CredentialsError (32), UnreachableError and LedgerError (33). After the first write:
    RolloutFailed (20), PutBack (21), NotPutBack (22), Interrupted (130, 143); NotRecorded (24) when it serves and is
    verified, but ledger or stamp could not be written. A rollback (`deployable.origin`) goes on without a ledger, over
    drift, and over a release that is under way.
    """
    run = Run(deployable, order, chosen, target, ledger, secrets, report, cancel, clock, clock.monotonic())
    guard_lease(ledger, target, deployable, report)
    report.progress(f"observing {chosen.name}")
    first = run.observe()
    if (found := run.nothing_to_do(first)) is not None:
        return found
    with held(
        ledger, order, first.stamp.epoch, rolls_back=run.rolls_back, report=report, cancel=cancel, clock=clock
    ) as (lease, problem):
        return UnderLease(run, lease, problem).do()
