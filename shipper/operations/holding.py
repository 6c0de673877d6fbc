"""Holding the lease for a command that writes to a target without rolling out: gc, remove, status --repair."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from shipper.errors import LedgerError, NotRecorded, PlatformError
from shipper.ledger.protocol import Lease
from shipper.model import Fact, Holder, Order
from shipper.model.context import Reporter
from shipper.operations.services import Place
from shipper.operations.telling import Telling
from shipper.rollout.lease import NoLease
from shipper.rollout.patience import rollout_patience
from shipper.rollout.platform_errors import not_written
from shipper.rollout.writes import Writer

LONGEST = 600.0
"""Seconds for everything that one such command writes."""


@dataclass(frozen=True)
class Held:
    """The right to write, and who writes. `recorded` is False where the ledger does not answer."""

    place: Place
    order: Order
    writer: Writer
    recorded: bool

    def record(self, fact: Fact) -> None:
        """One more entry. Raises LedgerError."""
        if self.recorded:
            self.place.ledger.append(lambda _: fact, run=self.order.by.run, epoch=self.writer.lease.epoch)

    def require_recorded(self, what: str) -> None:
        """Raises NotRecorded (24) where the ledger did not answer."""
        if not self.recorded:
            raise self.not_recorded(what)

    def not_recorded(self, what: str) -> NotRecorded:
        """The error that says so: it is done, and the ledger does not know."""
        return NotRecorded(
            f"{what}, but the ledger {self.place.ledger.url} does not answer: it is not recorded there",
            hint="run `shipper status --repair` when it answers again",
        )


@contextlib.contextmanager
def holding(place: Place, order: Order, telling: Telling, report: Reporter) -> Iterator[Held]:
    """The lease, given back at the end. Without a ledger the platform's own fence is all there is; that is told.

    Raises LockedError (30) that says who is at work, CredentialsError (32), UnreachableError (33).
    """
    with contextlib.ExitStack() as stack:
        try:
            before = place.target.observe()
            lease, recorded = _lease(stack, place, order, before.stamp.epoch, telling, report)
            writer = Writer(
                place.target, lease, place.target.observe(), rollout_patience(telling.cancel, place.clock, LONGEST)
            )
            yield Held(place, order, writer, recorded)
        except PlatformError as error:
            raise not_written(error) from error


def _lease(
    stack: contextlib.ExitStack, place: Place, order: Order, above: int, telling: Telling, report: Reporter
) -> tuple[Lease, bool]:
    def waits(holder: Holder) -> None:
        report.progress(f"waiting for {holder.who}, who runs a {holder.purpose} here")

    try:
        lease = stack.enter_context(
            place.ledger.lease(order.by, above=above, wait=order.wait, cancel=telling.cancel, on_wait=waits)
        )
    except LedgerError as error:
        report.remark(f"the ledger does not answer ({error.message}): the platform's own fence alone protects this run")
        return NoLease(above + 1, order.by), False
    if place.ledger.machine_only and not place.target.traits.holds_lock:
        report.remark("the lease of this ledger excludes other runs on this machine only")
    return lease, True
