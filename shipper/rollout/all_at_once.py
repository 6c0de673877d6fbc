"""All at once: the new revision is created, asked, and takes all traffic in one shift; the old one stays warm."""

from __future__ import annotations

from shipper.errors import (
    Conflict,
    CredentialsError,
    Denied,
    DriftError,
    Invalid,
    LockedError,
    PlatformError,
    PolicyError,
    RolloutFailed,
    ShipperError,
    UnreachableError,
    UsageError,
)
from shipper.model import (
    Deployable,
    Deployment,
    Observation,
    Release,
    Settings,
    Verdict,
    fingerprint_of,
    new_release_id,
)
from shipper.model.context import Cancellation, Clock, Reporter, Secrets
from shipper.rollout.attempt import Attempt
from shipper.rollout.readiness import ask_before_traffic, wait_until_ready
from shipper.rollout.verify import verify
from shipper.targets import SplitsTraffic, Target


def roll_out(
    deployable: Deployable,
    settings: Settings,
    target_name: str,
    target: Target,
    secrets: Secrets,
    report: Reporter,
    cancel: Cancellation,
    clock: Clock,
) -> Deployment:
    """Bring the deployable into service, from observing to verifying, and put things back if it does not work.

    Raises RolloutFailed (20), PutBack (21), NotPutBack (22), Interrupted (130); before the first write also
    DriftError (31), LockedError (30), CredentialsError (32), UnreachableError (33).
    """
    started = clock.monotonic()
    report.progress(f"observing {target_name}")
    before = observe_before(target)
    fingerprint = fingerprint_of(deployable.images, settings, secrets.versions())
    verdict = _serves_already(target, before, fingerprint, settings, cancel)
    if verdict.ok:
        return _nothing_to_do(before, deployable, verdict, clock.monotonic() - started)
    if verdict.reason:
        report.remark(f"the same release serves but is not well ({verdict.reason}): releasing it again")
    release = _decide(before, deployable, settings, target_name, secrets, fingerprint, clock)
    return _deploy(_splitting(target), release, before, report, cancel, clock, started)


def observe_before(target: Target) -> Observation:
    """The observation that everything is decided on. Raises what keeps us from writing at all."""
    try:
        before = target.observe()
    except PlatformError as error:
        raise not_written(error) from error
    if before.in_flight is not None:
        raise LockedError(
            f"an operation is in flight on the target: {before.in_flight}",
            hint="wait until it ends (`shipper status`), then release again",
        )
    if before.drift:
        raise DriftError(
            "somebody changed by hand what shipper owns on this target",
            hint="put it back as shipper left it (docs/howto.md, drift), then release again",
            details=[f"{drift.field}: {drift.ours} -> {drift.found}" for drift in before.drift],
        )
    return before


def not_written(error: PlatformError) -> ShipperError:
    """A platform's error before the first write, as ours."""
    if isinstance(error, Denied):
        return CredentialsError(f"the target refuses us: {error}", hint="see `shipper doctor`")
    if isinstance(error, Invalid):
        return UsageError(f"the target cannot be used like this: {error}", hint="see `shipper doctor`")
    if isinstance(error, Conflict):
        return LockedError(f"another writer is at work: {error}", hint="release again when it is done")
    return UnreachableError(f"the target does not answer: {error}", hint="see `shipper doctor`")


def _splitting(target: Target) -> SplitsTraffic:
    if not isinstance(target, SplitsTraffic):
        raise UsageError(
            f"all-at-once needs a target that splits traffic; {target.kind} replaces instead",
            hint=f"strategies of {target.kind}: {', '.join(target.traits.strategies)}",
        )
    return target


def _serves_already(
    target: Target, before: Observation, fingerprint: str, settings: Settings, cancel: Cancellation
) -> Verdict:
    """ok when the same fingerprint has all traffic and answers as it must; a reason when it does not."""
    main = before.main
    if main is None or main.fingerprint != fingerprint:
        return Verdict(ok=False, proof="none")
    return verify(target, main.name, settings.health, settings.smoke, cancel)


def _nothing_to_do(before: Observation, deployable: Deployable, verdict: Verdict, seconds: float) -> Deployment:
    main = before.main
    if main is None:
        raise RolloutFailed("nothing serves")
    return Deployment(
        changed=False,
        release_id=main.release or "",
        number=main.number or before.highest,
        fingerprint=main.fingerprint or "",
        revision=main.name,
        previous=main.name,
        address=before.address,
        verdict=verdict,
        image=deployable.images["main"].reference,
        seconds=seconds,
    )


def _decide(
    before: Observation,
    deployable: Deployable,
    settings: Settings,
    target_name: str,
    secrets: Secrets,
    fingerprint: str,
    clock: Clock,
) -> Release:
    if fingerprint.removeprefix("sha256:")[:12] in before.stamp.quarantined:
        raise PolicyError("this release is quarantined here: it was rolled back before", hint="change something")
    return Release(
        id=new_release_id(clock.now()),
        number=max(before.highest, before.stamp.highest) + 1,
        fingerprint=fingerprint,
        images=deployable.images,
        settings=settings,
        target=target_name,
        secret_versions=secrets.versions(),
        commit=deployable.commit,
        dirty=deployable.dirty,
        created=clock.now(),
    )


def _deploy(
    target: SplitsTraffic,
    release: Release,
    before: Observation,
    report: Reporter,
    cancel: Cancellation,
    clock: Clock,
    started: float,
) -> Deployment:
    settings = release.settings
    attempt = Attempt(target, release, before, report, cancel)
    with attempt.guarded():
        cancel.check()
        report.progress(f"creating release {release.number}")
        revision = attempt.create()
        budget = min(settings.health.startup, settings.rollout.timeout)
        wait_until_ready(target, revision, budget, report, cancel, clock)
        ask_before_traffic(target, revision, settings.health, settings.smoke, report)
        report.progress(f"shifting traffic to {revision.name}")
        attempt.shift(revision)
        report.progress("verifying what serves")
        verdict = verify(target, revision.name, settings.health, settings.smoke, cancel)
        cancel.check()
        if not verdict.ok:
            raise RolloutFailed(f"{revision.name} does not answer as it must: {verdict.reason}", cause="not-verified")
    report.progress("retiring what served before")
    attempt.tidy(revision)
    return Deployment(
        changed=True,
        release_id=release.id,
        number=release.number,
        fingerprint=release.fingerprint,
        revision=revision.name,
        previous=before.main.name if before.main else None,
        address=target.observe().address,
        verdict=verdict,
        image=release.main.reference,
        seconds=clock.monotonic() - started,
    )
