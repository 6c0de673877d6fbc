"""From the lease to the proof: bring a deployable into service, record it, and put things back if it does not work."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from shipper.errors import (
    LockedError,
    NotRecorded,
    Overtaken,
    PlatformError,
    ShipperError,
)
from shipper.ledger.protocol import Lease, Ledger
from shipper.model import (
    Deployable,
    Deployment,
    LedgerState,
    Observation,
    Order,
    Release,
    Revision,
    Settings,
    TargetSettings,
    Verdict,
    fingerprint_of,
    new_release_id,
)
from shipper.model.context import Cancellation, Clock, Reporter, Secrets
from shipper.rollout.all_at_once import all_at_once
from shipper.rollout.attempt import Attempt, Plan
from shipper.rollout.blue_green import blue_green
from shipper.rollout.bring_back import bring_back
from shipper.rollout.canary import canary
from shipper.rollout.guards import guard_drift, guard_lease, guard_order, guard_quarantine
from shipper.rollout.keeping import tidy
from shipper.rollout.known import DEAD
from shipper.rollout.lease import held
from shipper.rollout.patience import OutOfTime, Patience, last_patience, rollout_patience
from shipper.rollout.platform_errors import not_written
from shipper.rollout.record import Record
from shipper.rollout.recreate import recreate
from shipper.rollout.rolling import follow, rolling
from shipper.rollout.stamps import with_quarantine, with_verified
from shipper.rollout.strategies import stable_weights, strategy_of
from shipper.rollout.verify import verify
from shipper.rollout.writes import Writer
from shipper.targets import KeysSecrets, Replaces, SplitsTraffic, Target

STRATEGIES: dict[str, Callable[[Attempt], tuple[Revision, Verdict]]] = {
    "all-at-once": all_at_once,
    "blue-green": blue_green,
    "canary": canary,
    "recreate": recreate,
    "rolling": rolling,
}


def roll_out(
    deployable: Deployable,
    order: Order,
    chosen: TargetSettings,
    target: Target,
    ledger: Ledger,
    secrets: Secrets,
    report: Reporter,
    cancel: Cancellation,
    clock: Clock,
) -> Deployment:
    """What serves afterwards, verified and recorded.

    Raises, with nothing written: UsageError (2), PolicyError (16), LockedError (30; Overtaken too), DriftError (31),
    CredentialsError (32), UnreachableError and LedgerError (33). After the first write: RolloutFailed (20),
    PutBack (21), NotPutBack (22), Interrupted (130, 143); NotRecorded (24) when it serves and is verified, but ledger
    or stamp could not be written. A rollback (`deployable.origin`) goes on without a ledger, over drift, and over a
    release that is under way.
    """
    run = Run(deployable, order, chosen, target, ledger, secrets, report, cancel, clock, clock.monotonic())
    guard_lease(ledger, target, deployable, report)
    report.progress(f"observing {chosen.name}")
    first = run.observe()
    if (found := run.nothing_to_do(first)) is not None:
        return found
    with held(ledger, order, first.stamp.epoch, rolls_back=run.rolls_back, report=report, cancel=cancel) as (
        lease,
        problem,
    ):
        return UnderLease(run, lease, problem).do()


@dataclass(frozen=True)
class Run:
    """Everything that a rollout works with."""

    deployable: Deployable
    order: Order
    chosen: TargetSettings
    target: Target
    ledger: Ledger
    secrets: Secrets
    report: Reporter
    cancel: Cancellation
    clock: Clock
    started: float

    @property
    def settings(self) -> Settings:
        """Of the deployable."""
        return self.deployable.settings

    @property
    def rolls_back(self) -> bool:
        """Whether an earlier release comes back."""
        return self.deployable.origin == "rollback"

    @property
    def seconds(self) -> float:
        """Since it began."""
        return self.clock.monotonic() - self.started

    @cached_property
    def patience(self) -> Patience:
        """For what comes before the first write."""
        return rollout_patience(self.cancel, self.clock, self.settings.rollout.deadline)

    def observe(self) -> Observation:
        """Raises what keeps us from writing at all."""
        try:
            return self.patience.read(self.target.observe)
        except PlatformError as error:
            raise not_written(error) from error

    def last(self) -> Patience:
        """For what must be written although the run was cancelled."""
        return last_patience(self.cancel, self.clock)

    def fingerprint(self, versions: dict[str, str]) -> str:
        """Of what is to be deployed."""
        return fingerprint_of(self.deployable.images, self.settings, versions)

    def versions(self, *, make_key: bool) -> dict[str, str] | None:
        """Of the secrets; None while the place has no key for them, unless it may be made."""
        if self.deployable.secret_versions is not None:
            return self.deployable.secret_versions
        if not self.settings.run.secrets or not isinstance(self.target, KeysSecrets):
            return self.secrets.versions(None)
        try:
            key = self.patience.read(self.target.make_secret_key if make_key else self.target.secret_key)
        except PlatformError as error:
            raise not_written(error) from error
        return None if key is None else self.secrets.versions(key)

    def nothing_to_do(self, first: Observation) -> Deployment | None:
        """Seen without a lease: a release whose very content serves, is well, and was verified by its own run."""
        main = first.main
        if self.rolls_back or main is None or first.in_flight is not None or first.drift:
            return None
        versions = self.versions(make_key=False)
        if versions is None or main.fingerprint != self.fingerprint(versions):
            return None
        if main.number not in first.stamp.verified:
            return None
        verdict = self.verify(main)
        return self.unchanged(first, main, main.number or first.highest, verdict) if verdict.ok else None

    def verify(self, revision: Revision) -> Verdict:
        """Whether this revision has all traffic and answers as it must."""
        settings = self.settings
        adopted = self.deployable.rollback_to == 0
        return self.patience.read(
            lambda: verify(
                self.target, revision.name, settings.health, settings.smoke, self.cancel, routing_only=adopted
            )
        )

    def unchanged(self, now: Observation, main: Revision, number: int, verdict: Verdict) -> Deployment:
        """What serves already is what was asked for."""
        return Deployment(
            changed=False,
            release_id=main.release or "",
            number=number,
            fingerprint=main.fingerprint or "",
            revision=main.name,
            previous=main.name,
            address=now.address,
            verdict=verdict,
            image=self.reference,
            seconds=self.seconds,
            rollback_to=self.deployable.rollback_to,
            ledger=self.ledger.url,
        )

    @property
    def reference(self) -> str:
        """The reference of the service's own image; empty for #0."""
        main = self.deployable.images.get("main")
        return main.reference if main else ""


class UnderLease:
    """The part of a rollout in which this run may write."""

    def __init__(self, run: Run, lease: Lease, problem: str) -> None:
        self._run = run
        self._record = Record(run.ledger, run.order, lease.epoch, needed=not run.rolls_back, lost=problem)
        self._before = run.observe()
        self._writer = Writer(run.target, lease, self._before, run.patience, seizing=run.rolls_back)
        self._writer.check_fence(self._before)

    def do(self) -> Deployment:
        """Guards, claim, rollout, record, tidy."""
        run = self._run
        state = self._record.state()
        versions = run.versions(make_key=True) or {}
        fingerprint = run.fingerprint(versions)
        under_way = self._in_flight(fingerprint)
        guard_drift(self._before, run.deployable, run.report)
        serving = self._serves_already(fingerprint, state)
        if isinstance(serving, Deployment):
            return serving
        if not run.rolls_back:
            guard_quarantine(fingerprint, run.deployable, {*state.quarantined, *self._before.stamp.quarantined})
            guard_order(run.deployable, self._serving_record(), run.order)
        if under_way is not None:
            return self._attempt(state, self._recorded(under_way), lambda attempt: _resumed(attempt, under_way))
        living = self._living(well=serving)
        strategy = self._strategy(living)
        self._adopt(state)
        release = self._claim(fingerprint, versions, strategy, living)
        return self._attempt(state, release, self._way(strategy, living))

    # What is there.

    def _in_flight(self, fingerprint: str) -> Revision | None:
        """An operation of this very release, begun by a run that is gone, is taken up; a rollback ends any other.

        Raises LockedError (30).
        """
        before, run = self._before, self._run
        if before.in_flight is None:
            return None
        same = [found for found in before.revisions if found.fingerprint == fingerprint and found.release]
        if same and isinstance(run.target, Replaces):
            run.report.remark(f"an operation of this release is under way ({before.in_flight}): following it")
            return max(same, key=lambda found: found.number or 0)
        if run.rolls_back and isinstance(run.target, Replaces):
            self._abort(run.target, before.in_flight)
            return None
        raise LockedError(
            f"an operation is in flight on the target: {before.in_flight}",
            hint="wait until it ends (`shipper status`), then release again; `shipper rollback` ends it",
        )

    def _abort(self, target: Replaces, in_flight: str) -> None:
        self._run.report.remark(f"an operation is in flight ({in_flight}): this rollback ends it first")
        try:
            self._writer.write(
                lambda now, stamp: target.abort(in_flight, stamp, now.seen) if now.in_flight == in_flight else None,
                f"end {in_flight}",
            )
        except PlatformError as error:
            raise not_written(error) from error
        self._before = self._writer.observe()

    def _serves_already(self, fingerprint: str, state: LedgerState) -> Deployment | bool:
        """Nothing to do, when exactly this serves and is well; what a run before left unrecorded is recorded now.

        True when it serves and is well no more, or when something else serves.
        """
        run, main = self._run, self._before.main
        if main is None or not self._is_wanted(main, fingerprint):
            return True
        verdict = run.verify(main)
        if not verdict.ok:
            if len(self._before.serving) == 1:
                run.report.remark(f"the same release serves but is not well ({verdict.reason}): releasing it again")
            return len(self._before.serving) > 1
        number = self._unrecorded(main, state)
        if number is not None:
            run.report.remark(f"#{number} serves already, but the run that brought it did not live to say so")
            self._catch_up(main, number, verdict)
        return run.unchanged(self._before, main, number or main.number or self._before.highest, verdict)

    def _is_wanted(self, main: Revision, fingerprint: str) -> bool:
        deployable = self._run.deployable
        if deployable.rollback_to == 0:
            return main.name == deployable.revision
        return main.fingerprint == fingerprint and main.release is not None

    def _unrecorded(self, main: Revision, state: LedgerState) -> int | None:
        """The number under which a run brought this here, and died before it had recorded that."""
        same = [found for found in state.releases if found.fingerprint == main.fingerprint and found.outcome in DEAD]
        if same and same[-1].number == state.highest:
            return same[-1].number
        known = {*self._before.stamp.verified, *state.verified}
        return main.number if main.release is not None and main.number not in known else None

    def _catch_up(self, main: Revision, number: int, verdict: Verdict) -> None:
        run = self._run
        self._writer.number = number
        problem = self._stamp(main, number)
        self._record.verified(number, verdict, run.deployable, run.seconds, run.last())
        self._refuse_unrecorded(problem, number, verdict)

    def _serving_record(self) -> Release | None:
        main = self._before.main
        if main is None or main.release is None or self._run.deployable.commit_time is None:
            return None
        return self._recorded(main)

    def _recorded(self, revision: Revision) -> Release | None:
        own = [record for record in self._records if record.id == revision.release]
        return own[0] if own else self._record.release(revision.number or -1)

    @cached_property
    def _records(self) -> tuple[Release, ...]:
        try:
            return tuple(self._run.patience.read(self._run.target.records))
        except PlatformError as error:
            raise not_written(error) from error

    def _living(self, *, well: bool) -> Revision | None:
        """The revision that a rollback needs only give traffic to; one that serves and is not well is none."""
        name = self._run.deployable.revision
        if name is None or not isinstance(self._run.target, SplitsTraffic) or not well:
            return None
        fit = [found for found in self._before.revisions if found.name == name]
        found = next((found for found in fit if found.state in ("running", "stopped")), None)
        if found is None:
            self._run.report.remark(f"{name} is not there any more: its release is applied again")
        return found

    # What is decided.

    def _strategy(self, living: Revision | None) -> str:
        """A rollback takes no steps: it goes back at once."""
        run = self._run
        if not run.rolls_back:
            return strategy_of(run.settings, run.target.traits)
        if not isinstance(run.target, SplitsTraffic):
            return "rolling"
        return "recreate" if living is None and run.settings.rollout.strategy == "recreate" else "all-at-once"

    def _way(self, strategy: str, living: Revision | None) -> Callable[[Attempt], tuple[Revision, Verdict]]:
        if living is not None:
            record = self._recorded(living) if living.state == "stopped" else None
            return lambda attempt: bring_back(attempt, living, record)
        return STRATEGIES[strategy] if isinstance(self._run.target, SplitsTraffic) else rolling

    def _adopt(self, state: LedgerState) -> None:
        main, stamp = self._before.main, self._before.stamp
        if main is not None and main.release is None and not stamp.highest and state.adopted != main.name:
            self._run.report.remark(f"{main.name} was here before shipper: it is #0, and the way back")
            self._record.adopted(main.name)

    def _claim(self, fingerprint: str, versions: dict[str, str], strategy: str, living: Revision | None) -> Release:
        run, before = self._run, self._before
        deployable, now = run.deployable, run.clock.now()
        release_id = new_release_id(now)

        def build(number: int) -> Release:
            return Release(
                id=release_id,
                number=number,
                fingerprint=(living.fingerprint if living else None) or fingerprint,
                images=deployable.images,
                settings=self._scaled() if run.rolls_back else run.settings,
                target=run.chosen.name,
                place=run.chosen,
                ledger=run.ledger.url,
                rollback_to=deployable.rollback_to,
                strategy=strategy,
                secret_versions=versions,
                commit=deployable.commit,
                commit_time=deployable.commit_time,
                dirty=deployable.dirty,
                created=now,
            )

        return self._record.claim(max(before.highest, before.stamp.highest), build)

    def _scaled(self) -> Settings:
        """A rollback keeps at least as many instances as serve now, where the count is ours."""
        settings, before = self._run.settings, self._before
        if before.capacity is None or before.capacity_owner != "shipper":
            return settings
        least = max(settings.scale.min, before.capacity)
        scale = settings.scale.model_copy(update={"min": least, "max": max(settings.scale.max, least)})
        return settings.model_copy(update={"scale": scale})

    def _plan(self, state: LedgerState, release: Release) -> Plan:
        before = self._before
        verified = {*state.verified, *before.stamp.verified}
        stable = stable_weights(before, verified, {*state.quarantined, *before.stamp.quarantined})
        needed = release.strategy in ("recreate", "rolling")
        there = [found for found in before.revisions if found.name in stable and found.release] if needed else []
        found = {revision.name: self._recorded(revision) for revision in there}
        return Plan(
            deployable=self._run.deployable,
            release=release,
            before=before,
            stable=stable,
            records={name: record for name, record in found.items() if record is not None},
            by_whom=lambda: self._record.by_whom(release.number),
        )

    # What is done.

    def _attempt(
        self, state: LedgerState, release: Release | None, way: Callable[[Attempt], tuple[Revision, Verdict]]
    ) -> Deployment:
        run = self._run
        if release is None:
            raise LockedError(
                f"an operation is in flight on the target ({self._before.in_flight}); no record says of which release",
                hint="wait until it ends (`shipper status`), then release again",
            )
        attempt = Attempt(self._plan(state, release), self._writer, run.report, run.cancel, run.clock)
        try:
            with attempt.guarded():
                revision, verdict = way(attempt)
            problem = self._proved(attempt, revision)
        except Exception as error:
            main = self._writer.last.main
            self._record.failed(release.number, error, main.number if main else None, run.seconds, run.last())
            raise
        self._record.verified(release.number, verdict, run.deployable, run.seconds, run.last())
        if not run.cancel.cancelled:
            self._writer.patience = attempt.patience
            tidy(attempt, revision)
        self._refuse_unrecorded(problem, release.number, verdict)
        return self._deployment(attempt, revision, verdict)

    def _proved(self, attempt: Attempt, revision: Revision) -> str:
        try:
            return self._stamp(revision, attempt.release.number)
        except Overtaken as error:
            raise attempt.overtaken(error) from error

    def _stamp(self, revision: Revision, number: int) -> str:
        """Verified, on the platform itself; why that could not be written, empty when it could. Raises Overtaken."""
        run, writer = self._run, self._writer
        deployable = run.deployable
        # A revision that lives on keeps the number that it was made with: both are verified now.
        numbers = dict.fromkeys([*([revision.number] if revision.number else []), number])
        writer.patience, writer.quarantined = run.last(), None
        try:
            writer.write(
                lambda now, stamp: run.target.write_stamp(
                    with_verified(with_quarantine(stamp, deployable.quarantine, deployable.lift), *numbers), now.seen
                ),
                "write the stamp",
            )
        except Overtaken:
            raise
        except OutOfTime:
            return "no time was left to write the stamp"
        except (PlatformError, ShipperError) as error:
            return f"the stamp could not be written: {error}"
        return ""

    def _refuse_unrecorded(self, problem: str, number: int, verdict: Verdict) -> None:
        lost = [*([self._record.lost] if self._record.lost else []), *([problem] if problem else [])]
        if not lost:
            return
        address = self._writer.last.address
        where = f" at {address.url}" if address else ""
        raise NotRecorded(
            f"#{number} serves{where}, proved by {verdict.proof}, but could not be recorded: {lost[0]}",
            hint="`shipper status --repair` records it when the ledger answers again",
            details=lost[1:],
        )

    def _deployment(self, attempt: Attempt, revision: Revision, verdict: Verdict) -> Deployment:
        run, release, main = self._run, attempt.release, attempt.plan.before.main
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


def _resumed(attempt: Attempt, revision: Revision) -> tuple[Revision, Verdict]:
    attempt.attach(revision)
    return follow(attempt, revision)
