"""The right to write, from the ledger; a rollback that cannot have it relies on the platform's own fence."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from shipper.errors import LedgerError
from shipper.ledger.protocol import Lease, Ledger
from shipper.model import Holder, Order
from shipper.model.context import Cancellation, Clock, Reporter
from shipper.rollout.patience import OutOfTime, last_patience


@dataclass(frozen=True)
class NoLease:
    """Implements shipper.ledger.protocol.Lease where the ledger is out of reach: nobody else is excluded by it."""

    epoch: int
    holder: Holder

    def check(self) -> None:
        """The platform's own conditional write is all there is."""


@contextlib.contextmanager
def held(
    ledger: Ledger, order: Order, above: int, *, rolls_back: bool, report: Reporter, cancel: Cancellation, clock: Clock
) -> Iterator[tuple[Lease, str]]:
    """The lease while the block runs, and why it could not be had (empty when it could).

    A rollback takes a release's lease over, and goes on without any when the ledger does not answer. After a signal
    it is given back only as long as there is time. Raises LockedError (30) that says who holds it, LedgerError (33)
    for a release, Interrupted while waiting.
    """

    def waiting(holder: Holder) -> None:
        since = datetime.fromtimestamp(holder.since, UTC).strftime("%H:%M:%S UTC")
        report.progress(f"waiting for the {holder.purpose} of {holder.who}, at work since {since}")

    with contextlib.ExitStack() as taken:
        report.progress("taking the lease")
        try:
            lease = taken.enter_context(
                ledger.lease(
                    order.by,
                    above=above,
                    wait=order.wait,
                    seize=order.by.purpose == "rollback",
                    cancel=cancel,
                    on_wait=waiting,
                )
            )
            problem = ""
        except LedgerError as error:
            if not rolls_back:
                raise
            report.remark(f"the ledger cannot be used ({error.message}): this rollback goes on without it")
            lease, problem = NoLease(above + 1, order.by), error.message
        giving_back = taken.pop_all()
    try:
        yield lease, problem
    finally:
        # A silent ledger must not keep this run from saying what serves: the lease then ends by its silence.
        with contextlib.suppress(OutOfTime):
            last_patience(cancel, clock).read(giving_back.close)
