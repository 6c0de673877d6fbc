"""What refuses a release before anything is written. A rollback passes all of them, somebody needs it now, but for the
place: what never served there is no way back.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from datetime import UTC, datetime

from shipper.errors import DriftError, PolicyError, UsageError
from shipper.ledger.protocol import Ledger
from shipper.model import Deployable, Observation, Order, Release, TargetSettings, short
from shipper.model.context import Reporter
from shipper.targets import Target


def guard_lease(ledger: Ledger, target: Target, deployable: Deployable, report: Reporter) -> None:
    """A lease that covers this machine only excludes nobody else: refused in CI and where `protected` asks for more.

    Raises UsageError (2). The target's own lock is as good as a lease (docker: host lock; kubernetes: Lease object).
    """
    if not ledger.machine_only or target.traits.holds_lock:
        return
    if deployable.origin == "rollback":
        report.remark("the lease covers this machine only: another machine is held off by the platform's own writes")
        return
    because = "[ledger] protected is set" if deployable.settings.ledger.protected else ""
    because = because or ("this runs in CI (CI is set)" if os.environ.get("CI") else "")
    if because:
        raise UsageError(
            f"the ledger {ledger.url} excludes writers on this machine only, and {because}",
            hint='set url = "s3://…", "gs://…" or "az://…" under [ledger], for all who release here',
            cause="ledger",
        )


def guard_drift(before: Observation, deployable: Deployable, report: Reporter) -> None:
    """Somebody changed what we own. Raises DriftError (31); a rollback shows it and takes it over."""
    if deployable.origin != "rollback":
        refuse_drift(before)
    elif before.drift:
        report.remark(f"changed by hand, and taken over by this rollback: {'; '.join(_changes(before))}")


def refuse_drift(found: Observation) -> None:
    """Raises DriftError (31)."""
    if found.drift:
        raise drift_refusal(found)


def drift_refusal(found: Observation, beside: Sequence[str] = ()) -> DriftError:
    """Each field, what shipper left there and what is there now; then what is told beside it.

    The same words in a plan, before the build, where it is cheap to hear, and under the lease, where it counts.
    """
    return DriftError(
        "somebody changed by hand what shipper owns on this target",
        hint="put it back as shipper left it (docs/howto.md, drift), then release again",
        details=[*_changes(found), *beside],
    )


def _changes(found: Observation) -> list[str]:
    return [f"{drift.field}: {drift.ours} -> {drift.found}" for drift in found.drift]


def guard_quarantine(fingerprint: str, deployable: Deployable, quarantined: Collection[str]) -> None:
    """What was rolled back from here does not come back by itself. Raises PolicyError (16)."""
    main = deployable.images.get("main")
    own = {short(fingerprint): "this release", short(main.config_digest) if main else "": "this image"}
    for one, what in own.items():
        if one in quarantined and one not in deployable.lift:
            raise PolicyError(
                f"{what} is quarantined here ({one}): it was rolled back before",
                hint="change what was wrong with it; `shipper rollback --to` brings it back all the same",
                cause="quarantined",
            )


def guard_place(serving: Release | None, chosen: TargetSettings, ledger: Ledger) -> None:
    """A log is of one place: numbers, verified releases and ways back of one are of no use in another. What serves by
    the ledger must not have been released elsewhere. Raises UsageError (2).
    """
    there = serving.place.location if serving is not None and serving.place is not None else ""
    if serving is None or not there or not chosen.location or there == chosen.location:
        return
    raise UsageError(
        f'the ledger {ledger.url} knows "{chosen.name}" as another place: #{serving.number} serves in {there}, and '
        f"this is {chosen.location}",
        hint=f"give one of them a target of another name, another environment or a ledger of its own; where "
        f"{chosen.name} has moved, `shipper remove` it where it was",
        cause="another-place",
    )


def guard_order(deployable: Deployable, serving: Release | None, order: Order) -> None:
    """A late pipeline must not take a newer commit out of service. Raises PolicyError (16).

    By commit time, of two clean and known commits; anything else is not judged.
    """
    if serving is None or order.allow_older or deployable.dirty or serving.dirty:
        return
    ours, theirs = deployable.commit_time, serving.commit_time
    if not deployable.commit or not serving.commit or deployable.commit == serving.commit:
        return
    if ours is not None and theirs is not None and ours < theirs:
        raise PolicyError(
            f"commit {deployable.commit[:12]} of {_day(ours)} is older than what serves: "
            f"{serving.commit[:12]} of {_day(theirs)} (#{serving.number})",
            hint="release the newer commit, or pass --allow-older; to go back, use `shipper rollback`",
            cause="older-commit",
        )


def _day(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")
