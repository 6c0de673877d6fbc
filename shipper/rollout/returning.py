"""Which secret values come back with a release of then, and what they are compared with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from shipper.errors import LedgerError, NotFound, PlatformError, RollbackImpossible
from shipper.model import Observation, Release, Wanted
from shipper.model.settings import native_secrets
from shipper.rollout.known import Known, KnownRelease
from shipper.targets import KeysSecrets, PinsSecrets, Target

Which = Literal["pinned", "current"]


def which_secrets(wanted: Wanted, release: Release, target: Target) -> Which:
    """Asked for, configured then, or the target's own: pinned where it has the values of then."""
    keeps = isinstance(target, KeysSecrets | PinsSecrets) and not target.traits.secrets_change_in_place
    default: Which = "pinned" if keeps else "current"
    return wanted.secrets or release.settings.rollback.secrets or default


def returning_versions(
    target: Target, release: Release, serving: Callable[[], Release | None], which: Which
) -> dict[str, str]:
    """Those of then (pinned), or of the same names those of now (current): of what serves, or where the platform has
    only one value of each, those.

    Raises RollbackImpossible (23) for one that is gone, what `serving` raises, PlatformError.
    """
    if which == "pinned" or not release.secret_versions:
        return dict(release.secret_versions)
    if target.traits.secrets_change_in_place and isinstance(target, PinsSecrets):
        try:
            return dict(target.secret_versions(native_secrets(release.settings.run.secrets)))
        except NotFound as error:
            raise RollbackImpossible(
                f"#{release.number} cannot come back: {error}", hint="create that secret again, then run this again"
            ) from error
    found = serving()
    now = found.secret_versions if found is not None else {}
    return {name: now.get(name, version) for name, version in release.secret_versions.items()}


def serving_record(known: Known, observation: Observation, *, needed: bool = False) -> Release | None:
    """The record of what serves now. Raises LedgerError (33) where it is `needed` and only the ledger could have it."""
    main = observation.main
    current = known.serving(main) if main is not None else None
    try:
        return known.record(current) if current is not None else None
    except LedgerError:
        if needed:
            raise
        return None


def only_secrets_differ(
    target: Target, known: Known, observation: Observation, wanted: Wanted
) -> Callable[[KnownRelease], str]:
    """Of a release: why it would come back as no other than what serves, empty when it is another.

    Nothing but secret values sets it apart, and it would have those of now. What cannot be told here is told of the one
    that is chosen.
    """

    def why(candidate: KnownRelease) -> str:
        if len(observation.serving) != 1 or candidate.fingerprint == observation.serving[0].fingerprint:
            return ""  # while several serve, taking the traffic from one is a change
        try:
            then, now = known.record(candidate), serving_record(known, observation)
            if then is None or now is None or not then.secret_versions or not then.same_but_for_secrets(now):
                return ""
            versions = returning_versions(target, then, lambda: now, which_secrets(wanted, then, target))
        except (LedgerError, PlatformError, RollbackImpossible):
            return ""
        if versions == then.secret_versions or versions != now.secret_versions:
            return ""
        gone = target.traits.secrets_change_in_place
        lost = "those of then are gone" if gone else "it comes back with those of now (--secrets pinned: those of then)"
        return f"only secret values differ from what serves, and {lost}"

    return why
