"""The release that is to be made: what it is, and the number that its ledger entry claims."""

from __future__ import annotations

from shipper.model import Observation, Release, Revision, Settings, new_release_id
from shipper.rollout.record import Record
from shipper.rollout.run import Run
from shipper.rollout.strategies import strategy_of
from shipper.targets import SplitsTraffic


def claim(
    run: Run,
    record: Record,
    before: Observation,
    fingerprint: str,
    versions: dict[str, str],
    living: Revision | None,
) -> Release:
    """Its `started` entry is written: the number is ours for ever. `living`: the revision that only gets traffic.

    Raises LedgerError (33) for a release, UsageError (2) for a strategy that the target cannot do.
    """
    deployable, now = run.deployable, run.clock.now()
    strategy, release_id = _strategy(run, living), new_release_id(now)

    def build(number: int) -> Release:
        return Release(
            id=release_id,
            number=number,
            fingerprint=(living.fingerprint if living else None) or fingerprint,
            images=deployable.images,
            settings=_scaled(run.settings, before) if run.rolls_back else run.settings,
            target=run.chosen.name,
            place=run.chosen,
            ledger=run.ledger.url,
            rollback_to=deployable.rollback_to,
            strategy=strategy,
            secret_versions=versions,
            content=run.content,
            commit=deployable.commit,
            commit_time=deployable.commit_time,
            dirty=deployable.dirty,
            started_in=deployable.started_in,
            created=now,
        )

    return record.claim(max(before.highest, before.stamp.highest), build)


def _strategy(run: Run, living: Revision | None) -> str:
    """A rollback takes no steps: it goes back at once. Where room must be made for what starts, it makes it."""
    if not run.rolls_back:
        return strategy_of(run.settings, run.target.traits)
    if not isinstance(run.target, SplitsTraffic):
        return "rolling"
    starts = living is None or living.state == "stopped"
    return "recreate" if starts and run.settings.rollout.strategy == "recreate" else "all-at-once"


def _scaled(settings: Settings, before: Observation) -> Settings:
    """A rollback keeps at least as many instances as serve now, where the count is ours."""
    if before.capacity is None or before.capacity_owner != "shipper":
        return settings
    least = max(settings.scale.min or 0, before.capacity)
    most = settings.scale.max
    scale = settings.scale.model_copy(update={"min": least, "max": None if most is None else max(most, least)})
    return settings.model_copy(update={"scale": scale})
