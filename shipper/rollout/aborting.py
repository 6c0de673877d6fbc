"""Ending an operation that is under way: this run's own, when it puts back, or one that a run has left behind."""

from __future__ import annotations

from shipper.errors import Conflict, LockedError, NotFound
from shipper.model import Observation, Revision, Stamp
from shipper.targets import Replaces


def abort(target: Replaces, in_flight: str, stamp: Stamp, seen: str) -> None:
    """Raises Conflict, too, when it ended by itself meanwhile: look again."""
    try:
        target.abort(in_flight, stamp, seen)
    except NotFound as error:
        raise Conflict(str(error)) from error


class Ending:
    """One write that ends what is in flight, for `Writer.write`; called again when it is decided anew.

    The operation may be called otherwise by then, as our own stamp may change what it is named by: it is known by what
    it is about. `whosoever`: another one that was begun meanwhile is ended as well.
    """

    def __init__(self, target: Replaces, about: Revision | None, *, whosoever: bool) -> None:
        self._target, self._about, self._whosoever = target, _name(about), whosoever
        self._asked = False
        self.tried = False
        """Whether an operation was ended, or may have been."""

    def __call__(self, now: Observation, stamp: Stamp) -> None:
        """Raises LockedError (30) for another one, which has somebody."""
        if now.in_flight is None:
            return
        another = self._is_another(now)
        if another and self.tried:
            return  # the answer was lost: what is under way now puts back
        if another and not self._whosoever:
            raise locked(now.in_flight)
        self._asked = True
        before, self.tried = self.tried, True
        try:
            abort(self._target, now.in_flight, stamp, now.seen)
        except Conflict as error:
            self.tried = before or error.partly
            raise

    def carried_out(self, now: Observation) -> bool:
        """Whether it was ended although we were told of a conflict: a client that repeats a call whose answer was lost
        meets its own write. For `Writer.write`, which asks where our epoch stands.
        """
        gone = self._asked and (now.in_flight is None or self._is_another(now))
        self.tried = self.tried or gone
        return gone

    def _is_another(self, now: Observation) -> bool:
        return _name(applied_last(now)) != self._about


def applied_last(now: Observation) -> Revision | None:
    """What an operation in flight is about: what is being started, else the newest."""
    return max(now.revisions, key=lambda found: (found.state == "starting", found.number or 0), default=None)


def locked(in_flight: str) -> LockedError:
    """An operation of somebody else is never overlapped."""
    return LockedError(
        f"an operation is in flight on the target: {in_flight}",
        hint="wait until it ends (`shipper status`), then release again; `shipper rollback` ends it",
    )


def _name(revision: Revision | None) -> str:
    return revision.name if revision is not None else ""
