"""rollout: from observing to verifying, and putting things back (shipper.rollout does the work)."""

from __future__ import annotations

from shipper.errors import NotPutBack
from shipper.model import Deployable, Deployment, Settings, TargetSettings
from shipper.model.context import Cancellation, Clock, Reporter, Secrets
from shipper.pipeline.stage import stage
from shipper.targets import Target


@stage(version=1, unfinished=NotPutBack)
def rollout(
    deployable: Deployable,
    settings: Settings,
    chosen: TargetSettings,
    target: Target,
    secrets: Secrets,
    report: Reporter,
    cancel: Cancellation,
    clock: Clock,
) -> Deployment:
    """What serves afterwards, verified. Never reused: every run observes again."""
    from shipper.rollout.all_at_once import roll_out

    return roll_out(deployable, settings, chosen.name, target, secrets, report, cancel, clock)
