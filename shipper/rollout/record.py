"""What one run writes into the ledger: that it began, which claims its number, and how it ended."""

from __future__ import annotations

from collections.abc import Callable

from shipper.errors import (
    Interrupted,
    LedgerError,
    NotPutBack,
    PutBack,
    ShipperError,
)
from shipper.ledger.protocol import Ledger
from shipper.model import Adopted, Deployable, Finished, LedgerState, Order, Outcome, Release, Started, Verdict
from shipper.rollout.patience import OutOfTime, Patience


class Record:
    """A run's account. A release must have one; a rollback goes on without, and `lost` says why it has none."""

    def __init__(self, ledger: Ledger, order: Order, epoch: int, *, needed: bool, lost: str = "") -> None:
        self._ledger = ledger
        self._order = order
        self._epoch = epoch
        self._needed = needed
        self.lost = lost
        """Why something could not be written; empty when everything was."""

    def state(self) -> LedgerState:
        """What the ledger knows; nothing when it is lost. Raises LedgerError (33) for a release."""
        if self.lost:
            return LedgerState()
        try:
            return self._ledger.state()
        except LedgerError as error:
            self._lose(error)
            return LedgerState()

    def release(self, number: int) -> Release | None:
        """A whole record; None when there is none, or no ledger."""
        if self.lost:
            return None
        try:
            return self._ledger.release(number)
        except LedgerError as error:
            self._lose(error)
            return None

    def claim(self, above: int, build: Callable[[int], Release]) -> Release:
        """`build(number)` with a number higher than `above` and any that was ever claimed: the release has begun."""

        def decide(state: LedgerState) -> Started:
            release = build(1 + max(above, state.highest))
            return Started(release=release, by=self._order.by, reason=self._order.reason)

        try:
            entry = None if self.lost else self._ledger.append(decide, run=self._order.by.run, epoch=self._epoch)
        except LedgerError as error:
            self._lose(error)
            entry = None
        if entry is not None and isinstance(entry.fact, Started):
            return entry.fact.release
        return build(1 + above)

    def adopted(self, revision: str) -> None:
        """What serves was there before shipper: #0. Written once."""

        def decide(state: LedgerState) -> Adopted | None:
            return None if state.adopted == revision else Adopted(revision=revision, by=self._order.by)

        if self.lost:
            return
        try:
            self._ledger.append(decide, run=self._order.by.run, epoch=self._epoch)
        except LedgerError as error:
            self._lose(error)

    def verified(
        self, number: int, verdict: Verdict, deployable: Deployable, seconds: float, patience: Patience
    ) -> None:
        """It serves and is proved. What cannot be written leaves its reason in `lost`."""
        self._finish(
            Finished(
                number=number,
                outcome="verified",
                verdict=verdict,
                serves=number,
                quarantine=deployable.quarantine,
                lift=deployable.lift,
                seconds=round(seconds, 3),
            ),
            patience,
        )

    def failed(self, number: int, error: Exception, serves: int | None, seconds: float, patience: Patience) -> None:
        """How it ended instead; never hides the error that ended it."""
        self._finish(
            Finished(
                number=number,
                outcome=outcome_of(error),
                cause=error.cause if isinstance(error, ShipperError) else "bug",
                message=str(error),
                serves=serves,
                seconds=round(seconds, 3),
            ),
            patience,
        )

    def by_whom(self, number: int, patience: Patience) -> str:
        """Which run began a release after ours, for people; empty when that is not known. Raises nothing of ours."""
        if self.lost:
            return ""
        try:
            state = patience.read(self._ledger.state)
        except (LedgerError, OutOfTime):  # a silent ledger may be the very reason why this run counts as overtaken
            return ""
        later = [found for found in state.releases if found.number > number]
        return f"release #{later[-1].number} of {later[-1].who}" if later else ""

    def _finish(self, fact: Finished, patience: Patience) -> None:
        if self.lost:
            return
        try:
            patience.read(lambda: self._ledger.append(lambda _: fact, run=self._order.by.run, epoch=self._epoch))
        except LedgerError as error:
            self.lost = error.message
        except OutOfTime:
            self.lost = "the ledger did not answer in time"

    def _lose(self, error: LedgerError) -> None:
        if self._needed:
            raise error
        self.lost = error.message


def outcome_of(error: Exception) -> Outcome:
    """How a release ended, by the error that ended it."""
    if isinstance(error, ShipperError) and error.cause == "overtaken":
        return "overtaken"
    if isinstance(error, NotPutBack):
        return "not-put-back"
    if isinstance(error, PutBack):
        return "put-back"
    return "interrupted" if isinstance(error, Interrupted) else "failed"
