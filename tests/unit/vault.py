"""A platform's own secret `db` with its versions: as with Secret Manager, what is gone is neither named nor read."""

from __future__ import annotations

from collections.abc import Mapping

from shipper.errors import Denied, NotFound

REFERENCE = "secret-manager:db"


class Vault:
    """`versions`: the values, the newest last; None where one was destroyed. The version of the first is `db/1`."""

    def __init__(self, *values: bytes) -> None:
        self.versions: list[bytes | None] = list(values or (b"platform-value-1",))
        self.readable = True
        self.asked: list[str] = []

    def rotate(self, value: bytes = b"platform-value-2") -> None:
        """Somebody adds a version: from now on it is the latest."""
        self.versions.append(value)

    def destroy(self, number: int) -> None:
        """Somebody destroys a version."""
        self.versions[number - 1] = None

    def secret_versions(self, references: Mapping[str, str]) -> dict[str, str]:
        """As `PinsSecrets.secret_versions`."""
        return {name: f"db/{self._number(text)}" for name, text in references.items()}

    def secret_value(self, reference: str) -> bytes:
        """As `PinsSecrets.secret_value`."""
        if not self.readable:
            raise Denied("secretmanager.versions.access is not granted")
        self.asked.append(reference)
        value = self.versions[self._number(reference) - 1]
        assert value is not None
        return value

    def _number(self, reference: str) -> int:
        number = len(self.versions) if reference == REFERENCE else int(reference.removeprefix("db/"))
        if self.versions[number - 1] is None:
            raise NotFound(f"version {number} of the secret db is destroyed")
        return number
