"""An operation that a run has left under way: the next one follows it, ends it, or leaves it to whoever has it."""

from __future__ import annotations

from collections.abc import Callable

from shipper.errors import NotPutBack, PlatformError
from shipper.model import LedgerState, Observation, Revision
from shipper.rollout.aborting import Ending, applied_last, locked
from shipper.rollout.known import DEAD
from shipper.rollout.platform_errors import not_written
from shipper.rollout.run import Run
from shipper.rollout.writes import Writer
from shipper.targets import Replaces

LEFT = ("not-put-back", "overtaken")
"""How a run ended that may have left its operation under way."""


class InFlight:
    """What is under way when a run gets the lease. Never overlapped."""

    def __init__(self, run: Run, writer: Writer, state: LedgerState, before: Observation) -> None:
        self._run, self._writer, self._state = run, writer, state
        self.before = before
        """What was observed last: after an operation was ended, without it."""
        self.ended = ""
        """The operation that was ended: a write that may have moved traffic."""

    def settle(self, fingerprint: str, *, anew: bool, guard: Callable[[], None]) -> Revision | None:
        """The revision to follow, whose operation a run that is gone began for this very release; None when nothing is
        under way any more: that of another release, or of this one where it is applied `anew`, is ended, once `guard`
        has let this run through, which raises what refuses it. A rollback ends any operation.

        Raises LockedError (30) when it is not known whose it is; NotPutBack (22) when it was ended, perhaps.
        """
        before, run = self.before, self._run
        if before.in_flight is None:
            return None
        newest = applied_last(before)
        this = newest is not None and newest.fingerprint == fingerprint and not anew
        if this and isinstance(run.target, Replaces):
            run.report.remark(f"an operation of this release is under way ({before.in_flight}): following it")
            return newest
        if (run.rolls_back or self._is_left(newest)) and isinstance(run.target, Replaces):
            guard()  # what is refused has written nothing
            self._end(run.target, before.in_flight, newest)
            return None
        raise locked(before.in_flight)

    def _is_left(self, about: Revision | None) -> bool:
        """Whether it has nobody any more: we hold the lease, and the ledger's newest release has no run.

        One that was not put back is left where it never got traffic; else what is under way may be its way back. A
        rollback is left to people: what it was to end may be what comes back.
        """
        for newest in self._state.releases[-1:]:
            if newest.outcome in DEAD:
                return any(found.release == newest.id for found in self.before.revisions)
            if newest.outcome in LEFT and newest.rollback_to is None:
                return about is not None and about.release == newest.id and not about.weight
        return False

    def _end(self, target: Replaces, in_flight: str, about: Revision | None) -> None:
        self._run.report.remark(f"an operation is in flight ({in_flight}): it is ended first")
        ending = Ending(target, about, whosoever=self._run.rolls_back)
        try:
            self._writer.write(ending, f"end {in_flight}", ours=ending.carried_out)
            self.before = self._writer.observe()
        except PlatformError as error:
            if not self._writer.wrote:
                raise not_written(error) from error
            raise NotPutBack(
                f"ending {in_flight} was requested, and what serves now could not be read: {error}",
                hint="look at `shipper status`, then run the command again",
                cause="unconfirmed",
            ) from error
        finally:
            self.ended = in_flight if ending.tried and self._writer.wrote else ""
