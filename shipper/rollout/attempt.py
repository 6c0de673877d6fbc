"""One attempt to bring a release into service; what it does can be put back at every moment."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

from shipper.errors import Denied, Overtaken, PlatformError, RolloutFailed, ShipperError
from shipper.model import Observation, Release, Revision, Stamp, TrafficShifted, Verdict
from shipper.model.context import Cancellation, Clock, Reporter
from shipper.rollout.attempted import Attempted, Plan
from shipper.rollout.overtaken import overtaken
from shipper.rollout.platform_errors import as_ours, not_written
from shipper.rollout.putting_back import PuttingBack
from shipper.rollout.stamps import with_quarantine
from shipper.rollout.verify import verify, words_of
from shipper.rollout.writes import Writer, show_weights, weights_of
from shipper.targets import Finishes, SplitsTraffic

Result = TypeVar("Result")


class Attempt(Attempted):
    """What strategies are made of; whatever ends them early, what served before serves."""

    def __init__(self, plan: Plan, writer: Writer, report: Reporter, cancel: Cancellation, clock: Clock) -> None:
        super().__init__(plan, writer, report, cancel, clock)
        self._remarked: set[str] = set()
        writer.patience = self.patience
        writer.number = plan.release.number

    @contextlib.contextmanager
    def guarded(self) -> Iterator[None]:
        """Whatever ends the block early (an error, a gate, a deadline, a cancellation), what served before serves.

        A BaseException that is no Exception is the end of this process: nothing more is done.
        """
        try:
            yield
        except (ShipperError, PlatformError) as error:
            raise PuttingBack(self).after(self._told(error)) from error
        except Exception:
            PuttingBack(self).after(RolloutFailed("the rollout ended unexpectedly", cause="bug"))
            raise

    def _told(self, error: ShipperError | PlatformError) -> ShipperError:
        """What may not be written at all is a matter of permission (32); after a write it is a failed rollout (20)."""
        if isinstance(error, Denied) and not (self.writer.wrote or self.writer.doubtful):
            return not_written(error)
        return as_ours(error)

    def overtaken(self, error: Overtaken) -> ShipperError:
        """The error that says what serves now that another run writes here."""
        return overtaken(self, error)

    def create(self, release: Release | None = None) -> Revision:
        """The revision of this release, or of an earlier one that is started again; without traffic."""
        self.patience.check()
        target, wanted = self.splitting(), release or self.release
        serves_at_once = target.traits.first_create_serves and not self.plan.stable
        self.moving = self.moving or serves_at_once
        self.report.progress(f"creating release {wanted.number}" if release is None else f"starting #{wanted.number}")
        revision = self._write(
            lambda now, stamp: target.create(wanted, stamp, now.seen),
            f"create release {wanted.number}",
            expected=None if serves_at_once else [self.weights],
            ours=lambda now: any(found.release == wanted.id for found in now.revisions),
        )
        self.new = revision.name
        self.started = release is not None
        if serves_at_once:
            self.saw(self.writer.observe())
        return revision

    def shift(self, weights: Mapping[str, int], new: Revision) -> None:
        """Set the traffic, in one write. From here on a failure means putting back."""
        self.patience.check()
        target, wanted = self.splitting(), dict(weights)
        self._begin_to_move(new)
        self.report.progress(f"shifting traffic: {show_weights(wanted)}")
        self._set(target, wanted)
        self.weights, self.moved = wanted, True
        self.report.emit(TrafficShifted(weights=wanted))

    def stop_stable(self) -> None:
        """What serves gives its traffic up and is stopped: nothing answers until the new revision does."""
        self.patience.check()
        target = self.splitting()
        stable = [found for found in self.plan.before.revisions if found.name in self.plan.stable]
        self._begin_to_move(None)
        self.stopped = tuple(found.name for found in stable)
        self._set(target, {})
        self.weights, self.moved = {}, True
        self.report.emit(TrafficShifted(weights={}))
        self._write(
            lambda now, stamp: target.retire(stable, "stopped", stamp, now.seen), f"stop {', '.join(self.stopped)}"
        )

    def replace(self) -> Revision:
        """Apply the release: the platform moves the traffic by itself. From here on a failure means putting back."""
        self.patience.check()
        target, wanted = self.replacing(), self.release
        self._begin_to_move(None)
        self.report.progress(f"applying release {wanted.number}")
        revision = self._write(
            lambda now, stamp: target.replace(wanted, stamp, now.seen),
            f"apply release {wanted.number}",
            ours=lambda now: any(found.release == wanted.id for found in now.revisions),
        )
        self.new = revision.name
        return revision

    def finish(self, revision: Revision) -> None:
        """It is ready: where the platform does not give it the traffic by itself, it is given now."""
        target = self.target
        if isinstance(target, Finishes):
            self.patience.check()
            self._write(lambda now, stamp: target.finish(revision, stamp, now.seen), f"finish {revision.name}")

    def attach(self, revision: Revision) -> Revision:
        """An operation that an earlier run of this very release had begun is this run's from now on."""
        self._begin_to_move(revision)
        return revision

    def saw(self, now: Observation) -> None:
        """Where the platform moves the traffic by itself, it is as it was seen last."""
        self.weights = weights_of(now)
        self.moved = self.moved or self.new in self.weights

    def prove(self, revision: Revision) -> Verdict:
        """What serves answers as it must. Raises RolloutFailed, cause "not-verified"."""
        self.report.progress("verifying what serves")
        health, smoke = self.settings.health, self.settings.smoke
        adopted = self.plan.deployable.rollback_to == 0
        verdict = self.patience.read(
            lambda: verify(self.target, revision.name, health, smoke, self.cancel, routing_only=adopted)
        )
        self.patience.check()
        if verdict.unreached and verdict.unreached == self.plan.unreached:
            # Nor does this machine get to what served before: putting that back would help nobody.
            reason = f"this machine gets to neither what serves now nor to what did before: {verdict.reason}"
            self.report.remark("; ".join(part for part in (f"proved by routing only: {reason}", verdict.hint) if part))
            return verdict.model_copy(update={"ok": True, "reason": reason})
        if not verdict.ok:
            message = f"{revision.name} does not answer as it must: {verdict.reason}"
            raise RolloutFailed(message, hint=verdict.hint, details=words_of(verdict.said), cause="not-verified")
        if verdict.reason:
            self.report.remark(f"proved by {verdict.proof} only: {verdict.reason}")
        return verdict

    def remark_once(self, text: str) -> None:
        """A remark that holds for every step."""
        if text not in self._remarked:
            self._remarked.add(text)
            self.report.remark(text)

    def _set(self, target: SplitsTraffic, wanted: dict[str, int]) -> None:
        ours, epoch = self._recognised(wanted), self.writer.lease.epoch

        def call(now: Observation, stamp: Stamp) -> None:
            carried_out = now.stamp.epoch == epoch and ours(now) and now.unsettled is None  # its answer was lost
            if not carried_out:
                target.shift(wanted, stamp, now.seen)

        self._write(call, f"shift traffic to {show_weights(wanted)}", expected=[self.weights, wanted], ours=ours)

    def _recognised(self, wanted: Mapping[str, int]) -> Callable[[Observation], bool]:
        return lambda now: weights_of(now) == dict(wanted)

    def _write(
        self,
        call: Callable[[Observation, Stamp], Result],
        what: str,
        *,
        expected: Sequence[Mapping[str, int]] | None = None,
        ours: Callable[[Observation], bool] = lambda _: False,
    ) -> Result:
        """A release writes only over what it expects; a rollback takes over whatever it finds."""
        takes_over = self.plan.deployable.origin == "rollback"
        return self.writer.write(call, what, expected=None if takes_over else expected, ours=ours)

    def _begin_to_move(self, new: Revision | None) -> None:
        """What is left behind is quarantined by the very write that moves traffic, whatever becomes of this run."""
        self.moving = True
        self.new = new.name if new is not None else self.new
        deployable = self.plan.deployable
        if deployable.quarantine or deployable.lift:
            noted = with_quarantine(self.plan.before.stamp, deployable.quarantine, deployable.lift)
            self.writer.quarantined = noted.quarantined
