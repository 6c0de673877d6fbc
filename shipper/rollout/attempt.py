"""One attempt to bring a release into service, and the one place that puts things back."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from shipper.errors import (
    Denied,
    DriftError,
    Interrupted,
    NotPutBack,
    Overtaken,
    PlatformError,
    PutBack,
    RolloutFailed,
    ShipperError,
    UsageError,
)
from shipper.model import Deployable, Observation, Release, Revision, Stamp, TrafficShifted, Verdict
from shipper.model.context import Cancellation, Clock, Reporter
from shipper.rollout.aborting import abort
from shipper.rollout.patience import OutOfTime, last_patience, rollout_patience
from shipper.rollout.platform_errors import as_ours, not_written
from shipper.rollout.readiness import wait_until_ready
from shipper.rollout.stamps import with_quarantine
from shipper.rollout.verify import verify
from shipper.rollout.writes import Writer, show_weights, weights_of
from shipper.targets import Finishes, Replaces, SplitsTraffic, Target

Result = TypeVar("Result")

FOR_THE_RECORD = 1.5
"""Seconds of what remains after a signal that clearing away leaves for telling how it ended."""

CONFIRM = 10.0
"""Seconds in which traffic that was put back must be read back: routing is not instant everywhere."""

OTHER_RUN = 15.0
"""Seconds for the run that overtook us to move traffic away from what we had brought."""

LOOK = 0.1
"""Seconds between two such looks."""


@dataclass(frozen=True)
class Plan:
    """What is to be done, decided before the first write. `stable`: revision name to percent, what is put back to.

    `trusted` are the revisions that were verified here, oldest first.
    `records` are the releases of the stable revisions, by revision name: what a revision is started or applied again
    with. `by_whom` asks who overtook this run; it raises nothing of ours.
    """

    deployable: Deployable
    release: Release
    before: Observation
    stable: Mapping[str, int]
    trusted: Sequence[str]
    records: Mapping[str, Release]
    by_whom: Callable[[], str]


class Attempt:
    """Knows what served before, what was created and whether traffic moved; on failure it puts things back."""

    def __init__(self, plan: Plan, writer: Writer, report: Reporter, cancel: Cancellation, clock: Clock) -> None:
        self.plan = plan
        self.release = plan.release
        self.settings = plan.release.settings
        self.target: Target = writer.target
        self.writer = writer
        self.report = report
        self.cancel = cancel
        self.clock = clock
        self.patience = rollout_patience(cancel, clock, self.settings.rollout.deadline)
        self.weights: Mapping[str, int] = weights_of(plan.before)
        """What serves, as this run has found or set it."""
        self._new = ""
        self._moving = False
        """Whether a write was begun that moves traffic."""
        self._moved = False
        """Whether traffic is known to have moved."""
        self._started = False
        """Whether what this run brings is an earlier release's, which was stopped."""
        self._stopped: tuple[str, ...] = ()
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
            raise self._put_back(self._told(error)) from error
        except Exception:
            self._put_back(RolloutFailed("the rollout ended unexpectedly", cause="bug"))
            raise

    def _told(self, error: ShipperError | PlatformError) -> ShipperError:
        """What may not be written at all is a matter of permission (32); after a write it is a failed rollout (20)."""
        if isinstance(error, Denied) and not (self.writer.wrote or self.writer.doubtful):
            return not_written(error)
        return as_ours(error)

    # Forward.

    def create(self, release: Release | None = None) -> Revision:
        """The revision of this release, or of an earlier one that is started again; without traffic."""
        self.patience.check()
        target, wanted = self._splitting(), release or self.release
        serves_at_once = target.traits.first_create_serves and not self.plan.stable
        self._moving = self._moving or serves_at_once
        self.report.progress(f"creating release {wanted.number}" if release is None else f"starting #{wanted.number}")
        revision = self._write(
            lambda now, stamp: target.create(wanted, stamp, now.seen),
            f"create release {wanted.number}",
            expected=None if serves_at_once else [self.weights],
            ours=lambda now: any(found.release == wanted.id for found in now.revisions),
        )
        self._new = revision.name
        self._started = release is not None
        if serves_at_once:
            self.saw(self.writer.observe())
        return revision

    def shift(self, weights: Mapping[str, int], new: Revision) -> None:
        """Set the traffic, in one write. From here on a failure means putting back."""
        self.patience.check()
        target, wanted = self._splitting(), dict(weights)
        self._begin_to_move(new)
        self.report.progress(f"shifting traffic: {show_weights(wanted)}")
        self._set(target, wanted)
        self.weights, self._moved = wanted, True
        self.report.emit(TrafficShifted(weights=wanted))

    def stop_stable(self) -> None:
        """What serves gives its traffic up and is stopped: nothing answers until the new revision does."""
        self.patience.check()
        target = self._splitting()
        stable = [found for found in self.plan.before.revisions if found.name in self.plan.stable]
        self._begin_to_move(None)
        self._stopped = tuple(found.name for found in stable)
        self._set(target, {})
        self.weights, self._moved = {}, True
        self.report.emit(TrafficShifted(weights={}))
        self._write(
            lambda now, stamp: target.retire(stable, "stopped", stamp, now.seen), f"stop {', '.join(self._stopped)}"
        )

    def replace(self) -> Revision:
        """Apply the release: the platform moves the traffic by itself. From here on a failure means putting back."""
        self.patience.check()
        target, wanted = self._replacing(), self.release
        self._begin_to_move(None)
        self.report.progress(f"applying release {wanted.number}")
        revision = self._write(
            lambda now, stamp: target.replace(wanted, stamp, now.seen),
            f"apply release {wanted.number}",
            ours=lambda now: any(found.release == wanted.id for found in now.revisions),
        )
        self._new = revision.name
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
        self._moved = self._moved or self._new in self.weights

    def prove(self, revision: Revision) -> Verdict:
        """What serves answers as it must. Raises RolloutFailed, cause "not-verified"."""
        self.report.progress("verifying what serves")
        health, smoke = self.settings.health, self.settings.smoke
        adopted = self.plan.deployable.rollback_to == 0
        verdict = self.patience.read(
            lambda: verify(self.target, revision.name, health, smoke, self.cancel, routing_only=adopted)
        )
        self.patience.check()
        if not verdict.ok:
            raise RolloutFailed(f"{revision.name} does not answer as it must: {verdict.reason}", cause="not-verified")
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
        self._moving = True
        self._new = new.name if new is not None else self._new
        deployable = self.plan.deployable
        if deployable.quarantine or deployable.lift:
            noted = with_quarantine(self.plan.before.stamp, deployable.quarantine, deployable.lift)
            self.writer.quarantined = noted.quarantined

    def _splitting(self) -> SplitsTraffic:
        if not isinstance(self.target, SplitsTraffic):
            raise UsageError(
                f"{self.release.strategy} needs a target that splits traffic; {self.target.kind} replaces instead",
                hint=f"strategies of {self.target.kind}: {', '.join(self.target.traits.strategies)}",
            )
        return self.target

    def _replacing(self) -> Replaces:
        if not isinstance(self.target, Replaces):
            raise UsageError(
                f"{self.release.strategy} needs a target that replaces what serves; {self.target.kind} does not",
                hint=f"strategies of {self.target.kind}: {', '.join(self.target.traits.strategies)}",
            )
        return self.target

    # Putting back. Everything below runs although the run is cancelled, and issues its write at once.

    def _put_back(self, error: ShipperError) -> ShipperError:
        """Undo what was done, confirm it, and return the error that says what serves now."""
        if isinstance(error, Overtaken):
            return self.overtaken(error)
        self.writer.patience, self.writer.persists = last_patience(self.cancel, self.clock), True
        try:
            self._restore()
            problem = self._unlike_before()
        except Overtaken as overtaken:
            return self.overtaken(overtaken)
        except OutOfTime:
            return self._unconfirmed(error) if self._moving else error
        except (PlatformError, ShipperError) as failure:
            return self._person_needed(error, str(failure)) if self._moving else self._not_read(error, str(failure))
        self._clear_away()
        if problem:
            return self._person_needed(error, problem)
        if self._brought_what_is_stable and not isinstance(error, Interrupted):
            return self._no_way_back(error)
        if self._moved and not isinstance(error, Interrupted):
            message = f"{error.message}; traffic was put back"
            return PutBack(message, hint=error.hint, details=error.details, cause=error.cause)
        return error

    def _restore(self) -> None:
        """One write, where the platform has one for it: traffic is where it was, or where it was verified."""
        if not self._moving:
            return
        self.report.progress(f"putting traffic back: {show_weights(self.plan.stable)}")
        if self.writer.quarantined is not None:
            self.writer.quarantined = self.plan.before.stamp.quarantined
        restore = self._restore_by_replacing if self._replaces else self._restore_by_shift
        # A write that was left behind may still be carried out: one more write, and its `seen` is too old.
        if restore(self.writer.doubtful) and self._moved:
            self.report.emit(TrafficShifted(weights=dict(self.plan.stable), putting_back=True))

    def _restore_by_shift(self, doubtful: bool) -> bool:
        target, stable = self._splitting(), dict(self.plan.stable)
        started = [self._start_again(target, name) for name in self._stopped]
        written = False

        def back(now: Observation, stamp: Stamp) -> None:
            nonlocal written
            has_moved = self._has_moved(now)
            self._moved = self._moved or has_moved
            if (weights_of(now) == stable and not doubtful) or not (has_moved or doubtful):
                self._only_stamp(now, stamp)
                return
            written = True
            if self._nothing_before:
                target.remove(stamp, now.seen)
            else:
                target.shift(stable, stamp, now.seen)

        self.writer.write(back, f"put traffic back to {show_weights(stable)}")
        for revision in started:
            self._await(revision)
        return written

    def _has_moved(self, now: Observation) -> bool:
        """Towards what we brought; traffic that somebody else moved elsewhere is theirs."""
        if self._stopped and not now.serving:
            return True
        return weights_of(now).get(self._new, 0) != weights_of(self.plan.before).get(self._new, 0)

    def _start_again(self, target: SplitsTraffic, name: str) -> Revision:
        record = self.plan.records[name]
        return self.writer.write(lambda now, stamp: target.create(record, stamp, now.seen), f"start {name} again")

    def _await(self, revision: Revision) -> None:
        budget = self.settings.health.startup
        wait_until_ready(self.target, revision, budget, self.report, self.writer.patience, self.clock)

    def _restore_by_replacing(self, doubtful: bool) -> bool:
        target, record = self._replacing(), next(iter(self.plan.records.values()), None)
        written = False

        def back(now: Observation, stamp: Stamp) -> None:
            nonlocal written
            there = any(found.release == self.release.id for found in now.serving)
            self._moved = self._moved or there
            if now.in_flight is None and not there and not doubtful:
                self._only_stamp(now, stamp)
                return
            written = True
            if now.in_flight is not None:
                abort(target, now.in_flight, stamp, now.seen)
            elif record is not None:
                target.replace(record, stamp, now.seen)
            elif self._nothing_before:
                target.remove(stamp, now.seen)
            else:
                raise RolloutFailed("there is no record of what served before, and nothing else can bring it back")

        self.writer.write(back, "put back what served before")
        return written

    def _only_stamp(self, now: Observation, stamp: Stamp) -> None:
        """Traffic is where it belongs; what this run had quarantined is not any more."""
        if stamp.quarantined != now.stamp.quarantined:
            self.target.write_stamp(stamp, now.seen)

    @property
    def _replaces(self) -> bool:
        return self.release.strategy == "rolling" or not isinstance(self.target, SplitsTraffic)

    @property
    def _nothing_before(self) -> bool:
        """This is the first release: putting back is taking everything away."""
        before = self.plan.before
        return not self.plan.stable and not before.revisions and not before.stamp.highest

    @property
    def _brought_what_is_stable(self) -> bool:
        """This run gave all traffic to what it would be put back to, as a rollback in a dead run's canary does."""
        return self._moved and list(self.plan.stable) == [self._new]

    def _unlike_before(self) -> str:
        """Empty when what served before has its traffic again; how well it answers was so before, and is not judged."""
        wanted = [dict(self.plan.stable), *([] if self._moved else [weights_of(self.plan.before)])]
        until = self.clock.monotonic() + self._settling
        while True:
            now = self.writer.observe()
            found = weights_of(now)
            busy = now.in_flight or (now.unsettled if self._moved else None)
            if found in wanted and busy is None:
                return ""
            if self.clock.monotonic() >= until:
                under_way = f", and {busy} under way" if busy is not None else ""
                return f"expected {show_weights(self.plan.stable)}, found {show_weights(found)}{under_way}"
            self.writer.patience.wait(LOOK)

    @property
    def _settling(self) -> float:
        """Seconds that the platform may take to be as it was. Ending an operation takes a while, moved or not."""
        if self._replaces:
            return self.settings.health.startup if self._moving else 0.0
        return CONFIRM if self._moved else 0.0

    def _clear_away(self) -> None:
        """The revision of this attempt is removed, or stopped again; its log was read before.

        What is left over, the next run removes.
        """
        doubtful = self.writer.doubtful
        self.writer.patience = last_patience(self.cancel, self.clock, keep=FOR_THE_RECORD)
        self.writer.persists = False

        def away(now: Observation, stamp: Stamp) -> None:
            ours = [found for found in now.revisions if found.release == self.release.id and not found.weight]
            started = [found for found in now.revisions if self._started and found.name == self._new]
            if ours:
                self.target.retire(ours, "removed", stamp, now.seen)
            elif started and not started[0].weight:
                self.target.retire(started, "stopped", stamp, now.seen)
            elif doubtful:
                # A create that was left behind is refused from now on, where it is one conditional write; where it is
                # several, its revision has no traffic, and the next run removes it.
                self.target.write_stamp(stamp, now.seen)

        try:
            self.writer.write(away, f"remove release {self.release.number}")
        except OutOfTime:
            self.report.remark(f"no time was left to remove release {self.release.number}: the next run does it")
        except (PlatformError, ShipperError) as error:
            self.report.remark(f"could not remove release {self.release.number}: {error}; the next run does it")

    def _person_needed(self, error: ShipperError, failure: str) -> ShipperError:
        if isinstance(error, DriftError) and not self._moved:
            return error
        return NotPutBack(
            f"{error.message}; and putting back is not confirmed: {failure}",
            hint=f"look at `shipper status`; before this run: {show_weights(weights_of(self.plan.before))}",
            details=error.details,
        )

    def _not_read(self, error: ShipperError, failure: str) -> ShipperError:
        """This run has not touched the traffic: nothing is to be put back, whatever the platform answers."""
        self.report.remark(f"what serves could not be read back ({failure}); this run has moved no traffic")
        return error

    def _no_way_back(self, error: ShipperError) -> NotPutBack:
        return NotPutBack(
            f"{error.message}; traffic could only be put back to {self._new} itself, which has all of it",
            hint="look at `shipper status`; `shipper rollback --to` brings another release",
            details=error.details,
            cause=error.cause,
        )

    def _unconfirmed(self, error: ShipperError) -> NotPutBack:
        service, environment = self.settings.service.service, self.settings.service.environment
        return NotPutBack(
            f"{error.message}; putting traffic back to {show_weights(self.plan.stable)} was requested, not confirmed",
            hint=f"run `shipper status --service {service} --env {environment} --target {self.release.target}`; "
            "`shipper rollback` with the same options when it is not so",
            details=error.details,
            cause="unconfirmed",
        )

    # Overtaken: nothing is written any more. The other run decides what serves, and we say what that is.

    def overtaken(self, error: Overtaken) -> ShipperError:
        """The error that says what serves now that another run writes here; waits a while for that run."""
        details: tuple[str, ...] = (error.message,)
        try:
            left = not self.writer.wrote or self._left_by_other_run()
        except (PlatformError, OutOfTime) as failure:
            left, details = False, (*details, f"what serves is not known: {failure or 'no time was left'}")
        whom = self.plan.by_whom()
        message = f"this run was overtaken{f' by {whom}' if whom else ''}"
        if not self.writer.wrote:
            return Overtaken(f"{message}; it had written nothing", hint=error.hint, details=details)
        if not left:
            return NotPutBack(
                f"{message}; what it had brought may still have traffic",
                hint="look at `shipper status`: the other run decides what serves",
                details=details,
                cause="overtaken",
            )
        if self._moved or (self._moving and self.writer.doubtful):
            return PutBack(f"{message}; what it had brought serves no more", details=details, cause="overtaken")
        return RolloutFailed(f"{message} before traffic moved", details=details, cause="overtaken")

    def _left_by_other_run(self) -> bool:
        """Whether nothing of ours has traffic or is about to, at once or after the other run has seen to it."""
        patience = last_patience(self.cancel, self.clock)
        until = time.monotonic() + OTHER_RUN
        while True:
            now = patience.read(self.target.observe)
            if not self._moving:
                return True
            self._moved = self._moved or self._has_moved(now)
            # An operation under way may be ours: then the platform moves traffic to what we applied without us.
            if not self._serves(now) and now.in_flight is None:
                return True
            if time.monotonic() >= until:
                return False
            patience.wait(LOOK)

    def _serves(self, now: Observation) -> bool:
        """Whether what this run brought has traffic; a write that was left behind has not told its revision's name."""
        return any(found.name == self._new or found.release == self.release.id for found in now.serving)
