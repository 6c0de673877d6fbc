"""The secret values of one run, given by a scenario instead of by the environment."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping

from shipper.model.context import VersionsOf
from shipper.model.secret import Secret
from shipper.targets.secret_pins import SecretPins

OWN_KEY = b"the suite's own key, where the place has none"


class Values:
    """Implements shipper.model.context.Secrets for `[run.secrets]`."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._secrets = tuple(Secret(name, value.encode()) for name, value in values.items())
        self._pins = SecretPins()

    def run(self) -> tuple[Secret, ...]:
        """As they were given."""
        return self._secrets

    def build(self) -> tuple[Secret, ...]:
        """None: nothing is built here."""
        return ()

    def trial(self) -> tuple[Secret, ...]:
        """The same: nothing is tried out here."""
        return self._secrets

    def trial_versions(self) -> dict[str, str]:
        """None: nothing is tried out here."""
        return {}

    def pinned(self, references: Mapping[str, str], versions_of: VersionsOf) -> dict[str, str]:
        """The versions of now, for the whole run."""
        return self._pins.confirm(references, versions_of)

    def versions(self, key: bytes | None = None) -> dict[str, str]:
        """HMAC-SHA256 of each value, 32 hex digits."""
        return {one.name: _version(key or OWN_KEY, one.reveal()) for one in self._secrets}


def _version(key: bytes, value: bytes) -> str:
    return hmac.new(key, value, hashlib.sha256).hexdigest()[:32]
