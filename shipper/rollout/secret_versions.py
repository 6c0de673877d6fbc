"""The versions of a release's secrets: of values on this machine by keyed hash, of the platform's own by its words."""

from __future__ import annotations

from shipper.model import Settings
from shipper.model.context import Secrets
from shipper.model.settings import native_secrets
from shipper.targets import KeysSecrets, PinsSecrets, Target


def secret_versions_of(
    settings: Settings, secrets: Secrets, target: Target, *, make_key: bool
) -> dict[str, str] | None:
    """Name to version, of `[run.secrets]`; None while the place has no key for them, unless it may be made.

    Raises PlatformError: NotFound for a platform's own secret that is not there.
    """
    references = settings.run.secrets
    native = native_secrets(references)
    pinned = dict(target.secret_versions(native)) if native and isinstance(target, PinsSecrets) else {}
    if len(native) == len(references):
        return pinned
    if not isinstance(target, KeysSecrets):
        return {**secrets.versions(None), **pinned}
    key = target.make_secret_key() if make_key else target.secret_key()
    return None if key is None else {**secrets.versions(key), **pinned}
