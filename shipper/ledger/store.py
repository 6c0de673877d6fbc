"""What a log needs of an object store: read one, create one that is absent, overwrite one. Nothing is ever listed."""

from __future__ import annotations

from typing import Protocol

from shipper.errors import LedgerError

LARGE = 65_536
"""Bytes. What is larger (evidence) may take longer than an entry."""


class Doubtful(LedgerError):
    """The store did not say what became of the request: it may have been carried out, and may be made again."""


class Store(Protocol):
    """One attempt per call. Raises Doubtful, or LedgerError where another attempt cannot help."""

    @property
    def url(self) -> str:
        """Such as "s3://bucket/prefix", without credentials."""

    @property
    def machine_only(self) -> bool:
        """Whether other machines see other objects."""

    def get(self, key: str, *, large: bool = False) -> bytes | None:
        """The object; None when there is none. Never half of one. `large`: it may take long."""

    def create(self, key: str, body: bytes) -> bool:
        """Put if absent; False when there was one. Durable when it returns."""

    def put(self, key: str, body: bytes) -> None:
        """Create or overwrite. For hints and beats, whose loss costs time only."""
