"""The one place that puts things back, on failure and on cancel alike."""

from __future__ import annotations

from shipper.errors import (
    DriftError,
    Interrupted,
    NotPutBack,
    Overtaken,
    PlatformError,
    PutBack,
    RolloutFailed,
    ShipperError,
)
from shipper.model import Observation, Revision, Stamp, TrafficShifted
from shipper.rollout.aborting import abort
from shipper.rollout.attempted import Attempted
from shipper.rollout.overtaken import overtaken
from shipper.rollout.patience import FOR_THE_RECORD, PUTTING_BACK, OutOfTime, last_patience
from shipper.rollout.readiness import wait_until_ready
from shipper.rollout.writes import show_weights, weights_of
from shipper.targets import SplitsTraffic

CONFIRM = 10.0
"""Seconds in which traffic that was put back must be read back: routing is not instant everywhere."""

LOOK = 0.1
"""Seconds between two such looks."""


class PuttingBack:
    """Of one attempt. Everything here runs although the run is cancelled, and issues its write at once."""

    def __init__(self, done: Attempted) -> None:
        self._done = done
        self._plan, self._release, self._settings = done.plan, done.release, done.settings
        self._target, self._writer = done.target, done.writer
        self._report, self._cancel, self._clock = done.report, done.cancel, done.clock

    def after(self, error: ShipperError) -> ShipperError:
        """Undo what was done, confirm it, and return the error that says what serves now."""
        if isinstance(error, Overtaken):
            return overtaken(self._done, error)
        seconds = PUTTING_BACK + (self._settling if self._done.replaces else 0.0)
        self._writer.patience = last_patience(self._cancel, self._clock, seconds=seconds)
        self._writer.persists = True
        try:
            self._restore()
            problem = self._unlike_before()
        except Overtaken as another:
            return overtaken(self._done, another)
        except OutOfTime:
            return self._unconfirmed(error) if self._done.moving else error
        except (PlatformError, ShipperError) as failure:
            told = str(failure)
            return self._person_needed(error, told) if self._done.moving else self._not_read(error, told)
        self._clear_away()
        if problem:
            return self._person_needed(error, problem)
        if self._done.brought_what_is_stable and not isinstance(error, Interrupted):
            return self._no_way_back(error)
        if self._done.moved and not isinstance(error, Interrupted):
            serves = self._writer.last.serving
            message = f"{error.message}; {'traffic was put back' if serves else 'nothing serves, as before'}"
            return PutBack(message, hint=error.hint, details=error.details, cause=error.cause)
        return error

    def _restore(self) -> None:
        """One write, where the platform has one for it: traffic is where it was, or where it was verified."""
        if not self._done.moving:
            return
        self._report.progress(f"putting traffic back: {show_weights(self._plan.stable)}")
        if self._writer.quarantined is not None:
            self._writer.quarantined = self._plan.before.stamp.quarantined
        restore = self._restore_by_replacing if self._done.replaces else self._restore_by_shift
        # A write that was left behind may still be carried out: one more write, and its `seen` is too old.
        if restore(self._writer.doubtful) and self._done.moved:
            self._report.emit(TrafficShifted(weights=dict(self._plan.stable), putting_back=True))

    def _restore_by_shift(self, doubtful: bool) -> bool:
        target, stable = self._done.splitting(), dict(self._plan.stable)
        started = [self._start_again(target, name) for name in self._done.stopped]
        written = False

        def back(now: Observation, stamp: Stamp) -> None:
            nonlocal written
            has_moved = self._done.has_moved(now)
            self._done.moved = self._done.moved or has_moved
            if (weights_of(now) == stable and not doubtful) or not (has_moved or doubtful):
                self._only_stamp(now, stamp)
                return
            written = True
            if self._done.nothing_before:
                target.remove(stamp, now.seen)
            else:
                target.shift(stable, stamp, now.seen)

        self._writer.write(back, f"put traffic back to {show_weights(stable)}")
        for revision in started:
            self._await(revision)
        return written

    def _start_again(self, target: SplitsTraffic, name: str) -> Revision:
        record = self._plan.records[name]
        return self._writer.write(lambda now, stamp: target.create(record, stamp, now.seen), f"start {name} again")

    def _await(self, revision: Revision) -> None:
        budget = self._settings.health.startup
        wait_until_ready(self._target, revision, budget, self._report, self._writer.patience, self._clock)

    def _restore_by_replacing(self, doubtful: bool) -> bool:
        target, record = self._done.replacing(), next(iter(self._plan.records.values()), None)
        written = False

        def back(now: Observation, stamp: Stamp) -> None:
            nonlocal written
            there = any(found.release == self._release.id for found in now.serving)
            self._done.moved = self._done.moved or there
            if now.in_flight is None and not there and not doubtful:
                self._only_stamp(now, stamp)
                return
            written = True
            if now.in_flight is not None:
                abort(target, now.in_flight, stamp, now.seen)
            elif record is not None:
                target.replace(record, stamp, now.seen)
            elif self._done.nothing_before:
                target.remove(stamp, now.seen)
            else:
                raise RolloutFailed("there is no record of what served before, and nothing else can bring it back")

        self._writer.write(back, "put back what served before")
        return written

    def _only_stamp(self, now: Observation, stamp: Stamp) -> None:
        """Traffic is where it belongs; what this run had quarantined is not any more."""
        if stamp.quarantined != now.stamp.quarantined:
            self._target.write_stamp(stamp, now.seen)

    def _unlike_before(self) -> str:
        """Empty when what served before has its traffic again; how well it answers was so before, and is not judged."""
        wanted = [dict(self._plan.stable), *([] if self._done.moved else [weights_of(self._plan.before)])]
        if not self._plan.stable:  # nothing served, as a dead run had left it: what was good may be back by then
            wanted += [{name: 100} for name in self._plan.trusted]
        until = self._clock.monotonic() + self._settling
        while True:
            now = self._writer.observe()
            found = weights_of(now)
            busy = now.in_flight or (now.unsettled if self._done.moved else None)
            if found in wanted and busy is None:
                return ""
            if self._clock.monotonic() >= until:
                under_way = f", and {busy} under way" if busy is not None else ""
                return f"expected {show_weights(self._plan.stable)}, found {show_weights(found)}{under_way}"
            if busy is not None:
                self._report.progress(f"waiting for {busy} to end: {show_weights(found)}")
            self._writer.patience.wait(LOOK)

    @property
    def _settling(self) -> float:
        """Seconds that the platform may take to be as it was. Ending an operation takes a while, moved or not."""
        if self._done.replaces:
            return self._settings.health.startup if self._done.moving else 0.0
        return CONFIRM if self._done.moved else 0.0

    def _clear_away(self) -> None:
        """The revision of this attempt is removed, or stopped again; its log was read before.

        What is left over, the next run removes.
        """
        doubtful = self._writer.doubtful
        self._writer.patience = last_patience(self._cancel, self._clock, keep=FOR_THE_RECORD)
        self._writer.persists = False

        def away(now: Observation, stamp: Stamp) -> None:
            ours = [found for found in now.revisions if found.release == self._release.id and not found.weight]
            started = [found for found in now.revisions if self._done.started and found.name == self._done.new]
            if ours:
                self._target.retire(ours, "removed", stamp, now.seen)
            elif started and not started[0].weight:
                self._target.retire(started, "stopped", stamp, now.seen)
            elif doubtful:
                # A create that was left behind is refused from now on, where it is one conditional write; where it is
                # several, its revision has no traffic, and the next run removes it.
                self._target.write_stamp(stamp, now.seen)

        try:
            self._writer.write(away, f"remove release {self._release.number}")
        except OutOfTime:
            self._report.remark(f"no time was left to remove release {self._release.number}: the next run does it")
        except (PlatformError, ShipperError) as error:
            self._report.remark(f"could not remove release {self._release.number}: {error}; the next run does it")

    def _person_needed(self, error: ShipperError, failure: str) -> ShipperError:
        if isinstance(error, DriftError) and not self._done.moved:
            return error
        return NotPutBack(
            f"{error.message}; and putting back is not confirmed: {failure}",
            hint=f"look at `shipper status`; before this run: {show_weights(weights_of(self._plan.before))}",
            details=error.details,
        )

    def _not_read(self, error: ShipperError, failure: str) -> ShipperError:
        """This run has not touched the traffic: nothing is to be put back, whatever the platform answers."""
        self._report.remark(f"what serves could not be read back ({failure}); this run has moved no traffic")
        return error

    def _no_way_back(self, error: ShipperError) -> NotPutBack:
        return NotPutBack(
            f"{error.message}; traffic could only be put back to {self._done.new} itself, which has all of it",
            hint="look at `shipper status`; `shipper rollback --to` brings another release",
            details=error.details,
            cause=error.cause,
        )

    def _unconfirmed(self, error: ShipperError) -> NotPutBack:
        service, environment = self._settings.service.service, self._settings.service.environment
        return NotPutBack(
            f"{error.message}; putting traffic back to {show_weights(self._plan.stable)} was requested, not confirmed",
            hint=f"run `shipper status --service {service} --env {environment} --target {self._release.target}`; "
            "`shipper rollback` with the same options when it is not so",
            details=error.details,
            cause="unconfirmed",
        )
