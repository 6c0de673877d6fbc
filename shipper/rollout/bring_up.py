"""A new revision, ready and asked, without traffic: how every rollout beside the old one begins."""

from __future__ import annotations

from shipper.model import Revision
from shipper.rollout.attempt import Attempt
from shipper.rollout.readiness import ask_before_traffic, wait_until_ready


def bring_up(attempt: Attempt) -> Revision:
    """Create it, wait until it is ready, and ask it its golden requests. Raises RolloutFailed with the dossier."""
    revision = attempt.create()
    until_ready(attempt, revision)
    settings = attempt.settings
    ask_before_traffic(attempt.target, revision, settings.health, settings.smoke, attempt.report, attempt.patience)
    return revision


def until_ready(attempt: Attempt, revision: Revision) -> None:
    """Within `[rollout] timeout`; where the platform does not time starts itself, within `[health] startup`, too."""
    settings = attempt.settings
    budget = settings.rollout.timeout
    if not attempt.target.traits.times_starts:
        budget = min(budget, settings.health.startup)
    wait_until_ready(attempt.target, revision, budget, attempt.report, attempt.patience, attempt.clock)
