"""Secret Manager: which version a reference means now, whether versions are enabled, and values for the smoke test."""

from __future__ import annotations

import base64
from collections.abc import Mapping

from shipper.targets import NotFound, Transient, retry_transient
from shipper_targets.cloudrun.rest import Rest
from shipper_targets.cloudrun.secret_names import Reference, parse_reference

HOST = "secretmanager.googleapis.com"


class SecretManager:
    """Reads secrets of any project. Needs secretmanager.versions.get, for values secretmanager.versions.access."""

    def __init__(self, rest: Rest, project: str) -> None:
        self._rest = rest
        self._project = project

    def pinned(self, references: Mapping[str, str]) -> dict[str, str]:
        """Name to `projects/P/secrets/S/versions/7`. Raises NotFound for one that is not there or not enabled."""
        return {name: self.version(parse_reference(text, self._project)) for name, text in references.items()}

    def version(self, reference: Reference) -> str:
        """The one version that is meant now, under the project that the reference names."""
        found = retry_transient(
            lambda: self._rest.get(f"read the secret {reference.secret}", HOST, f"/v1/{reference.name}")
        )
        number = str(found.get("name", "")).rpartition("/")[2]
        if not number.isdigit():
            raise Transient(f"read the secret {reference.secret}: the answer names no version")
        if found.get("state") != "ENABLED":
            state = str(found.get("state", "in an unknown state")).lower()
            raise NotFound(f"version {number} of the secret {reference.secret} is {state}")
        return Reference(reference.project, reference.secret, number).name

    def value(self, text: str) -> bytes:
        """Of one reference."""
        reference = parse_reference(text, self._project)
        doing = f"read the value of the secret {reference.secret}"
        found = retry_transient(lambda: self._rest.get(doing, HOST, f"/v1/{reference.name}:access"))
        try:
            return base64.b64decode(found["payload"].get("data", ""), validate=True)
        except (KeyError, AttributeError, ValueError) as error:
            raise Transient(f"{doing}: the answer has none") from error

    def gone(self, name: str, version: str) -> str:
        """Why the value of then cannot come back, for people; empty when its version is enabled.

        Raises Denied, Transient when that cannot be told.
        """
        doing = f"read version {version} of a secret"
        try:
            found = retry_transient(lambda: self._rest.get(doing, HOST, f"/v1/{version}"))
        except NotFound:
            return f"the value of {name} of then ({version}) is gone: pass --secrets current"
        if found.get("state") == "ENABLED":
            return ""
        state = str(found.get("state", "unknown")).lower()
        return f"the value of {name} of then ({version}) is {state}: pass --secrets current"
