"""What an adapter's error means for the user, before and after something was written."""

from __future__ import annotations

from shipper.errors import (
    Conflict,
    CredentialsError,
    Denied,
    Invalid,
    LockedError,
    PlatformError,
    RolloutFailed,
    ShipperError,
    Transient,
    UnreachableError,
    UsageError,
)


def not_written(error: PlatformError) -> ShipperError:
    """A platform's error before the first write, as ours: 32, 2, 30 or 33."""
    hint = error.hint or "see `shipper doctor`"
    if isinstance(error, Denied):
        return CredentialsError(f"the target refuses us: {error}", hint=hint)
    if isinstance(error, Invalid):
        return UsageError(f"the target cannot be used like this: {error}", hint=hint)
    if isinstance(error, Conflict):
        return LockedError(f"another writer is at work: {error}", hint="release again when it is done")
    return UnreachableError(f"the target does not answer: {error}", hint=hint)


def as_ours(error: ShipperError | PlatformError) -> ShipperError:
    """An error of a rollout that has begun, as ours: a platform's own is RolloutFailed (20)."""
    if isinstance(error, ShipperError):
        return error
    what = "the target does not answer" if isinstance(error, Transient) else "the target refused"
    return RolloutFailed(f"{what}: {error}", hint=error.hint or "see `shipper doctor` and the run log")
