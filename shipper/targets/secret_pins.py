"""One version of each of the platform's own secrets for a whole run, whichever part of it asks first."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from shipper.errors import Invalid, NotFound
from shipper.model.context import VersionsOf


class SecretPins:
    """What the smoke test has tried out is what the release gets, although a newer version came in between.

    Of one run; may be used from several threads. `versions_of` is `PinsSecrets.secret_versions`, and what it raises is
    raised here: nothing is settled then.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._settled: dict[str, str] = {}

    def settle(self, references: Mapping[str, str], versions_of: VersionsOf) -> dict[str, str]:
        """Name to version. Only those that nobody has asked about before are asked about."""
        with self._lock:
            new = {name: reference for name, reference in references.items() if name not in self._settled}
            if new:
                self._settled |= versions_of(new)
            return {name: self._settled[name] for name in references}

    def confirm(self, references: Mapping[str, str], versions_of: VersionsOf) -> dict[str, str]:
        """The same; those that were settled before are asked about again. Raises NotFound when one is gone."""
        with self._lock:
            before = {name: self._settled[name] for name in references if name in self._settled}
        if before:
            _still_there(before, versions_of)
        return self.settle(references, versions_of)


def _still_there(versions: Mapping[str, str], versions_of: VersionsOf) -> None:
    """A version is a reference to itself."""
    try:
        found = dict(versions_of(versions))
    except NotFound as error:
        raise NotFound(f"{error} (it was there when this run began)") from error
    if found != versions:
        lines = ", ".join(f"{version} is {found.get(name)}" for name, version in sorted(versions.items()))
        raise Invalid(f"the target does not know its own versions of secrets again: {lines}")
