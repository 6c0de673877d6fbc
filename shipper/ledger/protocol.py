"""What shipper will ask of a ledger: an append-only log of what was decided and done.

Only the protocol for now; the log on an object store, lease and epochs come with `shipper rollback`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol, runtime_checkable


@runtime_checkable
class Ledger(Protocol):
    """One log per (service, environment, target). The only primitive is put-if-absent of entry N."""

    def append(self, kind: str, body: dict[str, Any]) -> int:
        """Write the next entry and return its position. An entry once written is never lost or changed."""

    def entries(self, since: int = 0) -> Iterator[dict[str, Any]]:
        """Entries in order, from `since` on."""
