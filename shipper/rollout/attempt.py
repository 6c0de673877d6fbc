"""One attempt to bring a release into service, and the one place that puts things back."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Literal

from shipper.errors import DriftError, Interrupted, NotPutBack, PlatformError, PutBack, RolloutFailed, ShipperError
from shipper.model import Observation, Release, Revision, Stamp, TrafficShifted, Verdict
from shipper.model.context import Cancellation, Reporter
from shipper.rollout.writes import show_weights, weights_of, write
from shipper.targets import SplitsTraffic


class Attempt:
    """Knows what served before, what was created and whether traffic moved; on failure it puts things back."""

    def __init__(
        self, target: SplitsTraffic, release: Release, before: Observation, report: Reporter, cancel: Cancellation
    ) -> None:
        self.target = target
        self.release = release
        self.before = before
        self.report = report
        self.cancel = cancel
        self.moving = False

    @contextlib.contextmanager
    def guarded(self) -> Iterator[None]:
        """Whatever ends the block early, an error or a cancellation, what served before serves afterwards."""
        try:
            yield
        except (ShipperError, PlatformError) as error:
            raise self._put_back(_as_ours(error)) from error
        except BaseException:
            self._put_back(RolloutFailed("the rollout ended unexpectedly"))
            raise

    def create(self) -> Revision:
        """The new revision, without traffic."""
        return write(
            self.target,
            weights_of(self.before),
            lambda now: self.target.create(self.release, self._stamp(now), now.seen),
            f"create release {self.release.number}",
        )

    def shift(self, revision: Revision) -> None:
        """All traffic to the new revision, in one write. From here on a failure means putting back."""
        self.cancel.check()
        weights = {revision.name: 100}
        self.moving = True
        write(
            self.target,
            weights_of(self.before),
            lambda now: self.target.shift(weights, self._stamp(now), now.seen),
            f"shift traffic to {revision.name}",
        )
        self.report.emit(TrafficShifted(weights=weights))

    def tidy(self, revision: Revision) -> None:
        """The previous revision leaves the traffic's way but stays as the way back; older ones are removed.

        What fails here fails nobody: the release serves. It is told and tried again with the next release.
        """
        previous = self.before.main
        # Only what is older: a revision with a higher number is another run's, which is still at work on it.
        old = [found for found in self.target.revisions() if (found.number or 0) < (revision.number or 0)]
        keep = [found for found in old if previous is not None and found.name == previous.name]
        self._retire(keep, "stopped")
        self._retire([found for found in old if found not in keep], "removed")

    def _retire(self, revisions: Sequence[Revision], to: Literal["stopped", "removed"]) -> None:
        if not revisions:
            return
        names = ", ".join(found.name for found in revisions)
        try:
            write(self.target, None, lambda now: self.target.retire(revisions, to, now.seen), f"retire {names}")
        except (PlatformError, RolloutFailed) as error:
            self.report.remark(f"could not retire {names}: {error}; the next release tries again")

    def _stamp(self, now: Observation) -> Stamp:
        return now.stamp.model_copy(update={"highest": max(now.stamp.highest, self.release.number)})

    # Putting back. Everything below runs although the run is cancelled, and issues its write at once.

    def _put_back(self, error: ShipperError) -> ShipperError:
        """Undo what was done, verify it, and return the error that says what serves now."""
        try:
            moved = self.moving and self._restore_traffic()
            self._remove_ours()
            if isinstance(error, DriftError) and not moved:
                return error
            verdict = self._old_serves()
        except (PlatformError, ShipperError) as failure:
            return self._person_needed(error, failure)
        if not verdict.ok:
            return self._person_needed(error, RolloutFailed(verdict.reason))
        if moved and not isinstance(error, Interrupted):
            message = f"{error.message}; traffic was put back"
            return PutBack(message, hint=error.hint, details=error.details, cause=error.cause)
        return error

    def _restore_traffic(self) -> bool:
        """Whether traffic had moved; when it had, it is where it was."""
        was = weights_of(self.before)

        def restore(now: Observation) -> bool:
            if self._ours(now) not in weights_of(now):
                return False
            if not was and not self.before.revisions:
                self.target.remove()
            else:
                self.target.shift(was, now.stamp, now.seen)
            return True

        moved = write(self.target, None, restore, f"put traffic back to {show_weights(was)}")
        if moved:
            self.report.emit(TrafficShifted(weights=was, putting_back=True))
        return moved

    def _ours(self, now: Observation) -> str:
        names = [found.name for found in now.revisions if found.release == self.release.id]
        return names[0] if names else ""

    def _remove_ours(self) -> None:
        """The revision of this attempt is removed; its log was read before."""

        def remove(now: Observation) -> None:
            ours = [found for found in now.revisions if found.release == self.release.id]
            if ours:
                self.target.retire(ours, "removed", now.seen)

        write(self.target, None, remove, f"remove release {self.release.number}")

    def _old_serves(self) -> Verdict:
        """Whether what served before has its traffic again. How well it answers was so before, and is not judged."""
        found, was = weights_of(self.target.observe()), weights_of(self.before)
        if found == was:
            return Verdict(ok=True, proof="routing")
        reason = f"expected {show_weights(was)}, found {show_weights(found)}"
        return Verdict(ok=False, proof="none", reason=reason)

    def _person_needed(self, error: ShipperError, failure: Exception) -> NotPutBack:
        return NotPutBack(
            f"{error.message}; and putting back is not confirmed: {failure}",
            hint=f"look at `shipper status`; before this run: {show_weights(weights_of(self.before))}",
            details=error.details,
        )


def _as_ours(error: ShipperError | PlatformError) -> ShipperError:
    if isinstance(error, ShipperError):
        return error
    return RolloutFailed(f"the target refused: {error}", hint="see `shipper doctor` and the run log")
