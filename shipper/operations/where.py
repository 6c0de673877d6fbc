"""Which service, in which environment, on which target: what every command is told by its options."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Where:
    """The options that say where to act. `directory` None means: look upwards from the current one.

    `service` is for acting without its configuration at hand; `ledger` is the URL from --ledger or SHIPPER_LEDGER.
    """

    directory: Path | None = None
    environment: str = "dev"
    target: str | None = None
    service: str | None = None
    ledger: str | None = None
