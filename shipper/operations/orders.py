"""Who orders this run, and what the command line allows: seeded into every pipeline that writes."""

from __future__ import annotations

from typing import Literal

from shipper.ledger.holders import this_process
from shipper.model import Order

Purpose = Literal["release", "rollback", "remove", "gc", "repair"]


def order_of(run: str, purpose: Purpose, *, wait: float = 0.0, allow_older: bool = False, reason: str = "") -> Order:
    """The order of this very process. `run` is the run's id, as its events carry it; `wait` in seconds."""
    return Order(by=this_process(run, purpose), wait=wait, allow_older=allow_older, reason=reason)
