"""select: what a rollback brings back, and the proof that it still can be."""

from __future__ import annotations

from dataclasses import dataclass

from shipper.errors import NotFound, PlatformError, RollbackImpossible
from shipper.ledger.protocol import Ledger
from shipper.model import (
    Deployable,
    ImageRef,
    Observation,
    Release,
    Restorable,
    Settings,
    Wanted,
    fingerprint_of,
    short,
)
from shipper.model.context import Clock, Reporter
from shipper.pipeline.remarks import Remarks
from shipper.rollout.choose import Choice
from shipper.rollout.known import Known, KnownRelease
from shipper.rollout.platform_errors import not_written
from shipper.rollout.returning import only_secrets_differ, returning_versions, serving_record, which_secrets
from shipper.targets import PinsSecrets, Target


def select(
    wanted: Wanted, settings: Settings, target: Target, ledger: Ledger, report: Reporter, clock: Clock
) -> Deployable:
    """The image, configuration, limits and secret versions of then, together.

    Raises RollbackImpossible (23) with the reason and what to pass, UsageError (2) for a `--to` that names no release
    or several, CredentialsError (32), UnreachableError (33).
    """
    report.progress("looking for the way back")
    found = look_back(wanted, target, ledger, report, clock.now())
    if found.problems:
        raise RollbackImpossible(
            f"#{found.choice.number} cannot come back: {found.problems[0]}",
            hint="`shipper history` shows the others: --to names one",
            details=found.problems[1:],
        )
    return deployable_of(found, wanted, settings)


@dataclass(frozen=True)
class Found:
    """What was chosen among what is known, its record (None for #0), and what would keep it from coming back."""

    known: Known
    choice: Choice
    release: Release | None
    serving: Release | None
    observation: Observation
    secret_versions: dict[str, str]
    warm: bool
    problems: tuple[str, ...]

    @property
    def same_secrets(self) -> bool:
        """Whether its secret values are those of then."""
        return self.release is None or self.secret_versions == self.release.secret_versions

    @property
    def fingerprint(self) -> str | None:
        """Of what comes back, with the secret values that it gets; None for #0."""
        release = self.release
        if release is None or self.same_secrets:
            return release.fingerprint if release is not None else None
        return fingerprint_of(release.images, release.settings, self.secret_versions, release.content)

    @property
    def quarantine(self) -> tuple[str, ...]:
        """What is left behind; never what comes back."""
        brought = self.fingerprint
        return tuple(one for one in self.choice.quarantine if brought is None or one != short(brought))

    @property
    def nothing_to_do(self) -> bool:
        """It serves as it was released. What somebody changed by hand is applied again; #0 cannot be."""
        changed = self.release is not None and bool(self.observation.drift)
        return self.choice.serves_already and self.same_secrets and not changed


def look_back(wanted: Wanted, target: Target, ledger: Ledger | None, report: Reporter, now: float) -> Found:
    """Choose, find the record, ask the target whether it can come back. Writes nothing."""
    try:
        observation = target.observe()
        for text in observation.remarks:
            report.remark(text)
        known, choice = _choose(wanted, target, ledger, observation, report, now)
        if choice.release is None:  # what served before shipper came has no record: it is chosen only while it runs
            return Found(
                known, choice, None, serving_record(known, observation), observation, {}, warm=choice.warm, problems=()
            )
        release = _record(known, choice, choice.release)
        which = which_secrets(wanted, release, target)
        serving = serving_record(known, observation, needed=which == "current" and bool(release.secret_versions))
        versions = returning_versions(target, release, lambda: serving, which)
        same = versions == release.secret_versions
        anew = choice.serves_already and bool(observation.drift)
        needs_secrets = bool(versions) and isinstance(target, PinsSecrets)
        if choice.warm and same and not anew and (choice.serves_already or not needs_secrets):
            return Found(known, choice, release, serving, observation, versions, warm=True, problems=())
        # The platform reads its own secrets again at every start: a revision is no warmer than their versions.
        restorable = _restorable(target, release.model_copy(update={"secret_versions": versions}), choice.number)
    except PlatformError as error:
        raise not_written(error) from error
    warm = restorable.warm and same and not anew
    return Found(known, choice, release, serving, observation, versions, warm=warm, problems=restorable.problems)


def _restorable(target: Target, release: Release, number: int) -> Restorable:
    try:
        return target.restorable(release)
    except NotFound as error:
        raise RollbackImpossible(
            f"#{number} cannot come back: {error}", hint="`shipper history` shows the others: --to names one"
        ) from error


def deployable_of(found: Found, wanted: Wanted, settings: Settings) -> Deployable:
    """What the rollout gets. `settings` are those at hand: they hold for #0, which has no record."""
    choice, release = found.choice, found.release
    images: dict[str, ImageRef] = release.images if release is not None else {}
    return Deployable(
        images=images,
        settings=release.settings if release is not None else settings,
        commit=release.commit if release is not None else None,
        commit_time=release.commit_time if release is not None else None,
        dirty=release.dirty if release is not None else False,
        started_in=release.started_in if release is not None else None,
        published=release is not None and release.main.manifest_digest is not None,
        origin="rollback",
        fingerprint=found.fingerprint if found.same_secrets else None,
        secret_versions=found.secret_versions,
        content=release.content if release is not None else "",
        rollback_to=choice.number,
        revision=choice.revision.name if choice.revision is not None and found.same_secrets else None,
        quarantine=found.quarantine,
        lift=choice.lift,
        reason=wanted.reason,
    )


def _choose(
    wanted: Wanted, target: Target, ledger: Ledger | None, observation: Observation, report: Reporter, now: float
) -> tuple[Known, Choice]:
    """From the newest releases; only when there is no way back among them, from the whole history."""
    from shipper.rollout.choose import choose
    from shipper.rollout.known import known

    def among(releases: Known) -> tuple[Known, Choice]:
        same = only_secrets_differ(target, releases, observation, wanted)
        return releases, choose(releases, observation, wanted, now, same)

    remarks = Remarks()
    try:
        try:
            found = among(known(target, ledger, remarks, observation=observation))
        except RollbackImpossible:
            found = among(known(target, ledger, remarks, observation=observation, whole=True))
    finally:
        for text in remarks.texts:
            report.remark(text)
    for text in found[1].remarks:
        report.remark(text)
    return found


def _record(known: Known, choice: Choice, chosen: KnownRelease) -> Release:
    """What comes back, whole."""
    found = known.record(chosen)
    if found is None:
        raise RollbackImpossible(
            f"#{choice.number} cannot come back: no record of it is left, on the platform or in the ledger",
            hint="`shipper history` shows the others: --to names one",
        )
    return found
