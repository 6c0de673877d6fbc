"""The versions of a release's secrets: of values on this machine by keyed hash, of the platform's own by its words."""

from __future__ import annotations

from collections.abc import Mapping

from shipper.errors import ConfigError, NotFound
from shipper.model import Settings
from shipper.model.context import Secrets
from shipper.model.settings import native_secrets
from shipper.targets import KeysSecrets, PinsSecrets, Target


def _pinned(native: Mapping[str, str], secrets: Secrets, target: PinsSecrets) -> dict[str, str]:
    """Those that the smoke test had. Each is there, or was: the target answers, and says that it is not."""
    try:
        return secrets.pinned(native, target.secret_versions)
    except NotFound as error:
        raise ConfigError(
            f"a secret of [run.secrets] is not there: {error}",
            hint="create it, enable that version or correct its reference; then release again",
        ) from error


def secret_versions_of(
    settings: Settings, secrets: Secrets, target: Target, *, make_key: bool
) -> dict[str, str] | None:
    """Name to version, of `[run.secrets]`; None while the place has no key for them, unless it may be made.

    The platform's own have one version for a whole run: what was tried out is what is released. Raises ConfigError (2)
    for one that is not there or not enabled, also when it was before, PlatformError.
    """
    references = settings.run.secrets
    native = native_secrets(references)
    pinned = _pinned(native, secrets, target) if native and isinstance(target, PinsSecrets) else {}
    if len(native) == len(references):
        return pinned
    if not isinstance(target, KeysSecrets):
        return {**secrets.versions(None), **pinned}
    key = target.make_secret_key() if make_key else target.secret_key()
    return None if key is None else {**secrets.versions(key), **pinned}
