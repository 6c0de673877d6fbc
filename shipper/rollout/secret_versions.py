"""The versions of a release's secrets: of values on this machine by keyed hash, of the platform's own by its words."""

from __future__ import annotations

from collections.abc import Mapping

from shipper.errors import ConfigError, NotFound
from shipper.model import Settings
from shipper.model.context import Secrets
from shipper.model.settings import native_secrets
from shipper.targets import KeysSecrets, PinsSecrets, Target


def _pinned(native: Mapping[str, str], target: PinsSecrets) -> dict[str, str]:
    """Each reference was written for something that is there: the target answers, and says that it is not."""
    try:
        return dict(target.secret_versions(native))
    except NotFound as error:
        raise ConfigError(
            f"a secret of [run.secrets] is not there: {error}",
            hint="create it or enable that version, or correct its reference",
        ) from error


def secret_versions_of(
    settings: Settings, secrets: Secrets, target: Target, *, make_key: bool
) -> dict[str, str] | None:
    """Name to version, of `[run.secrets]`; None while the place has no key for them, unless it may be made.

    Raises ConfigError (2) for a platform's own secret that is not there or not enabled, PlatformError.
    """
    references = settings.run.secrets
    native = native_secrets(references)
    pinned = _pinned(native, target) if native and isinstance(target, PinsSecrets) else {}
    if len(native) == len(references):
        return pinned
    if not isinstance(target, KeysSecrets):
        return {**secrets.versions(None), **pinned}
    key = target.make_secret_key() if make_key else target.secret_key()
    return None if key is None else {**secrets.versions(key), **pinned}
