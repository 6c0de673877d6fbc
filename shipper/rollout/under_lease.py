"""The part of a rollout in which its run may write: from the guards to what is recorded at the end."""

from __future__ import annotations

from collections.abc import Callable

from shipper.errors import (
    BugError,
    Interrupted,
    LockedError,
    NotPutBack,
    NotRecorded,
    Overtaken,
    PutBack,
    RollbackImpossible,
    RolloutFailed,
    ShipperError,
)
from shipper.ledger.protocol import Lease
from shipper.model import Deployment, Recorded, Release, Revision, Verdict
from shipper.rollout.all_at_once import all_at_once
from shipper.rollout.attempt import Attempt
from shipper.rollout.attempted import Plan
from shipper.rollout.before import run_before
from shipper.rollout.blue_green import blue_green
from shipper.rollout.bring_back import bring_back
from shipper.rollout.canary import canary
from shipper.rollout.claiming import claim
from shipper.rollout.guards import guard_drift, guard_order, guard_place, guard_quarantine
from shipper.rollout.in_flight import InFlight
from shipper.rollout.keeping import tidy
from shipper.rollout.known import DEAD
from shipper.rollout.patience import FOR_THE_RECORD, last_patience
from shipper.rollout.record import Record
from shipper.rollout.recreate import recreate
from shipper.rollout.rolling import follow, rolling
from shipper.rollout.run import Run
from shipper.rollout.sealing import refuse_unrecorded, seal_stamp
from shipper.rollout.strategies import stable_weights, trusted
from shipper.rollout.unreached import why_unreached
from shipper.rollout.writes import Writer
from shipper.targets import GivesBack, SplitsTraffic, Target

Way = Callable[[Attempt], tuple[Revision, Verdict]]

STRATEGIES: dict[str, Way] = {
    "all-at-once": all_at_once,
    "blue-green": blue_green,
    "canary": canary,
    "recreate": recreate,
    "rolling": rolling,
}

AFTER_A_WRITE = (RolloutFailed, PutBack, NotPutBack, NotRecorded, Interrupted, BugError)
"""What a run may end with once it has written what affects traffic (design.md section 5)."""


class UnderLease:
    """One run that holds the lease. `problem`: why the ledger cannot be used, by a rollback that goes on without."""

    def __init__(self, run: Run, lease: Lease, problem: str) -> None:
        self._run = run
        self._record = Record(run.ledger, run.order, lease.epoch, needed=not run.rolls_back, lost=problem)
        self._before = run.observe()
        self._drifted = bool(self._before.drift)  # ending the rollout of what somebody changed takes it away, too
        self._writer = Writer(run.target, lease, self._before, run.patience, seizing=run.rolls_back)
        self._writer.check_fence(self._before)
        self._state = self._record.state()
        self._in_flight = InFlight(run, self._writer, self._state, self._before)

    def do(self) -> Deployment:
        """Guards, claim, rollout, record, tidy. Raises as `roll_out`."""
        try:
            return self._do()
        except ShipperError as error:
            ended = self._in_flight.ended
            if not ended or isinstance(error, AFTER_A_WRITE):
                raise
            raise RolloutFailed(
                f"{error.message}; before that, {ended} was ended, which a run had left unfinished",
                hint=error.hint,
                details=error.details,
                cause=error.cause,
            ) from error

    def _do(self) -> Deployment:
        run = self._run
        versions = run.versions(make_key=True) or {}
        fingerprint = run.fingerprint(versions)
        guard_drift(self._before, run.deployable, run.report)
        self._refuse_another_place()
        self._refuse_impossible()
        under_way = self._under_way(fingerprint)
        verdict = self._serves_already(fingerprint)
        if verdict is not None and verdict.ok and not self._takes_drift_over:
            if not self._leaves_something_behind or self._unrecorded() is not None:
                return self._unchanged(verdict)
            return self._rolled_back_already(fingerprint, versions, verdict)
        self._guard(fingerprint)
        if under_way is not None:
            return self._attempt(self._taken_up(under_way), lambda attempt: follow(attempt, attempt.attach(under_way)))
        unwell = verdict is not None and len(self._before.serving) == 1 and run.deployable.rollback_to != 0
        living = None if unwell else self._living()
        self._adopt()
        release = claim(run, self._record, self._before, fingerprint, versions, living)
        return self._attempt(release, lambda attempt: self._go(attempt, living))

    @property
    def _quarantined(self) -> set[str]:
        return {*self._state.quarantined, *self._before.stamp.quarantined}

    @property
    def _verified(self) -> set[int]:
        return {*self._state.verified, *self._before.stamp.verified}

    @property
    def _leaves_something_behind(self) -> bool:
        """A rollback that needs no traffic, such as after ending an operation, still says what may not come back, and
        what may again.
        """
        deployable = self._run.deployable
        untold = {*deployable.quarantine} - {*self._state.quarantined}  # the stamp's may be of a run that died
        return self._run.rolls_back and bool(untold or {*deployable.lift} & self._quarantined)

    # What refuses.

    def _guard(self, fingerprint: str) -> None:
        if not self._run.rolls_back:
            guard_quarantine(fingerprint, self._run.deployable, self._quarantined)
            guard_order(self._run.deployable, self._serving_record(), self._run.order)

    def _refuse_another_place(self) -> None:
        """A ledger that says that something serves, where nothing of ours is: what it would go back to never served
        here, either. Raises UsageError (2).
        """
        serving, is_new = self._state.serving, not (self._before.highest or self._before.stamp.highest)
        if serving and is_new:
            guard_place(self._record.release(serving), self._run.chosen, self._run.ledger)

    def _refuse_impossible(self) -> None:
        """What is not ours has no record: nobody can apply it again. Raises RollbackImpossible (23)."""
        deployable, main = self._run.deployable, self._before.main
        serves = main is not None and main.name == deployable.revision
        if deployable.rollback_to == 0 and not serves and self._living() is None:
            raise RollbackImpossible(
                "what served before shipper came (#0) cannot be given traffic here",
                hint="`shipper history` shows what can come back: `shipper rollback --to`; or bring #0 back by hand",
            )

    # What is there.

    def _under_way(self, fingerprint: str) -> Revision | None:
        """The revision of this release whose operation is followed; what else was under way is ended."""
        left = self._in_flight
        followed = left.settle(fingerprint, anew=self._takes_drift_over, guard=lambda: self._guard(fingerprint))
        self._before = left.before
        return followed

    def _serves_already(self, fingerprint: str) -> Verdict | None:
        """How well exactly this serves; None when something else does."""
        run, main = self._run, self._before.main
        adopted = run.deployable.rollback_to == 0
        if main is None or (main.name != run.deployable.revision if adopted else main.fingerprint != fingerprint):
            return None
        verdict = run.verify(main)
        if not verdict.ok and len(self._before.serving) == 1:
            run.report.remark(f"the same release serves but is not well ({verdict.reason}): releasing it again")
        elif verdict.ok and self._takes_drift_over:
            run.report.remark("the same release serves, but not as it was released: it is applied again")
        return verdict

    @property
    def _takes_drift_over(self) -> bool:
        """A rollback leaves nothing as somebody changed it by hand. What was here before us cannot be applied."""
        return self._run.rolls_back and self._drifted and self._run.deployable.rollback_to != 0

    def _unchanged(self, verdict: Verdict) -> Deployment:
        """Nothing to do; what an earlier run left unrecorded is recorded now."""
        run, main = self._run, self._before.main
        assert main is not None
        number = self._unrecorded()
        if number is not None:
            run.report.remark(f"#{number} serves already, but the run that brought it did not live to say so")
            self._writer.number = number
            problem = seal_stamp(run, self._writer, main, number)
            self._record.verified(number, verdict, run.deployable, run.seconds, run.last())
            refuse_unrecorded(self._record, problem, self._writer, number, verdict)
        return run.unchanged(self._before, main, number or self._number_of(main), verdict)

    def _number_of(self, main: Revision) -> int:
        """What was here before shipper is #0, or what the ledger says that it serves as: the rollback to it."""
        if main.release is None:
            return self._state.serving or 0
        return main.number or self._before.highest

    def _rolled_back_already(self, fingerprint: str, versions: dict[str, str], verdict: Verdict) -> Deployment:
        main = self._before.main
        assert main is not None
        release = claim(self._run, self._record, self._before, fingerprint, versions, main)
        return self._attempt(release, lambda _: (main, verdict))

    def _unrecorded(self) -> int | None:
        """The number under which a run brought what serves here, and died before it had recorded that."""
        main = self._before.main
        assert main is not None
        newest = self._state.releases[-1] if self._state.releases else None
        if newest is not None and newest.outcome in DEAD and _brought(newest, main):
            return newest.number
        return main.number if main.release is not None and main.number not in self._verified else None

    def _serving_record(self) -> Release | None:
        """For the out-of-order guard, where there is something to compare."""
        main = self._before.main
        if main is None or main.release is None or self._run.deployable.commit_time is None:
            return None
        return self._recorded(main)

    def _recorded(self, revision: Revision) -> Release | None:
        own = [record for record in self._run.records if record.id == revision.release]
        return own[0] if own else self._record.release(revision.number or -1)

    def _taken_up(self, under_way: Revision) -> Release:
        release = self._recorded(under_way)
        if release is None:
            raise LockedError(
                f"an operation is in flight on the target ({self._before.in_flight}); no record says of which release",
                hint="wait until it ends (`shipper status`), then release again",
            )
        return release

    def _living(self) -> Revision | None:
        """The revision that a rollback needs only give traffic to."""
        name = self._run.deployable.revision
        if name is None or not isinstance(self._run.target, SplitsTraffic):
            return None
        fit = [found for found in self._before.revisions if found.name == name]
        found = next((found for found in fit if _can_live(found)), None)
        if found is None and self._run.deployable.rollback_to != 0:
            self._run.report.remark(f"{name} is not there any more: its release is applied again")
        return found

    def _adopt(self) -> None:
        main, stamp = self._before.main, self._before.stamp
        if main is not None and main.release is None and not stamp.highest and self._state.adopted != main.name:
            self._run.report.remark(f"{main.name} was here before shipper: it is #0, {_way_back_to(self._run.target)}")
            self._record.adopted(main.name)

    # What is done.

    def _go(self, attempt: Attempt, living: Revision | None) -> tuple[Revision, Verdict]:
        if living is not None:
            return bring_back(attempt, living, self._recorded(living) if living.state == "stopped" else None)
        run_before(attempt)
        if not isinstance(attempt.target, SplitsTraffic):
            return rolling(attempt)
        return STRATEGIES[attempt.release.strategy](attempt)

    def _plan(self, release: Release) -> Plan:
        before = self._before
        stable = stable_weights(before, self._verified, self._quarantined)
        needed = release.strategy in ("recreate", "rolling")
        there = [found for found in before.revisions if found.name in stable and found.release] if needed else []
        found = {revision.name: self._recorded(revision) for revision in there}
        return Plan(
            deployable=self._run.deployable,
            release=release,
            before=before,
            stable=stable,
            trusted=trusted(before, self._verified, self._quarantined),
            records={name: record for name, record in found.items() if record is not None},
            by_whom=lambda: self._record.by_whom(
                release.number, last_patience(self._run.cancel, self._run.clock, keep=FOR_THE_RECORD)
            ),
            unreached=self._unreached() if self._run.rolls_back else "",
        )

    def _unreached(self) -> str:
        settings = self._run.settings
        return self._run.patience.read(lambda: why_unreached(self._before, settings.health, settings.smoke))

    def _attempt(self, release: Release, way: Way) -> Deployment:
        run = self._run
        try:
            attempt = Attempt(self._plan(release), self._writer, run.report, run.cancel, run.clock)
            with attempt.guarded():
                revision, verdict = way(attempt)
            problem = self._sealed(attempt, revision)
        except Exception as error:
            self._record.failed(release.number, error, self._serves_after(error), run.seconds, run.last())
            raise
        self._record.verified(release.number, verdict, run.deployable, run.seconds, run.last())
        if not run.cancel.cancelled:
            self._writer.patience = attempt.patience
            tidy(attempt, revision)
        refuse_unrecorded(self._record, problem, self._writer, release.number, verdict)
        return self._deployment(release, revision, verdict)

    def _serves_after(self, error: Exception) -> int | None:
        """The number under which the ledger knows what serves now; None when this run cannot say."""
        main = self._writer.last.main
        if main is None or (isinstance(error, ShipperError) and error.cause in ("overtaken", "unconfirmed")):
            return None
        serving = self._state.serving
        lines = [line for line in self._state.releases if line.number == serving]
        # After a rollback its number serves, in the revision of an earlier one.
        return serving if any(_brought(line, main) for line in lines) else main.number

    def _sealed(self, attempt: Attempt, revision: Revision) -> str:
        try:
            return seal_stamp(self._run, self._writer, revision, attempt.release.number)
        except Overtaken as error:
            raise attempt.overtaken(error) from error

    def _deployment(self, release: Release, revision: Revision, verdict: Verdict) -> Deployment:
        run, main = self._run, self._before.main
        return Deployment(
            changed=True,
            release_id=release.id,
            number=release.number,
            fingerprint=release.fingerprint,
            revision=revision.name,
            previous=main.name if main else None,
            address=self._writer.last.address,
            verdict=verdict,
            image=run.reference,
            seconds=run.seconds,
            rollback_to=release.rollback_to,
            ledger=run.ledger.url,
        )


def _brought(line: Recorded, revision: Revision) -> bool:
    """Whether this revision is what that release brought. What was here before shipper has no fingerprint."""
    return line.rollback_to == 0 if revision.release is None else line.fingerprint == revision.fingerprint


def _way_back_to(target: Target) -> str:
    """What of what was here before shipper can be had again, and by what."""
    if isinstance(target, SplitsTraffic):
        return "and the way back"
    after = "; after that `shipper remove` gives it back, and no rollback does" if isinstance(target, GivesBack) else ""
    return f"which a first release that fails is put back to{after}"


def _can_live(revision: Revision) -> bool:
    """Whether it can get traffic. A stopped one is started from its record, which only what is ours has."""
    return revision.state == "running" or (revision.state == "stopped" and revision.release is not None)
