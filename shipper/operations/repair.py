"""status --repair: what serves and was not recorded is recorded, and what dead runs left is settled and cleared away.

Everything is done under the lease: whoever began something and has not ended it is dead then.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from shipper.errors import NotFound, NotPutBack, PlatformError, ShipperError
from shipper.model import Finished, Release, Remark, RunFinished, Stamp, Started, Verdict, new_release_id
from shipper.model.quantities import show_count
from shipper.operations.holding import Held, holding
from shipper.operations.kept import images_of, kept
from shipper.operations.orders import order_of
from shipper.operations.services import Place, open_place_of
from shipper.operations.serving import Serving, look, prove
from shipper.operations.telling import Account, Telling, tell
from shipper.operations.where import Where
from shipper.operations.workspace import Workspace, open_place
from shipper.pipeline.events import Sink
from shipper.pipeline.reporter import StageReporter
from shipper.rollout.known import DEAD, KnownRelease
from shipper.rollout.stamps import with_quarantine, with_verified
from shipper.targets import Collects


def repair(where: Where, sinks: Sequence[Sink], *, wait: float = 0.0) -> int:
    """Settle everything and return the exit code: 22 when what serves is not well, 24 without a ledger."""
    return tell(sinks, lambda telling: _repair(where, wait, telling))


def _repair(where: Where, wait: float, telling: Telling) -> RunFinished:
    workspace = open_place(where)
    telling.begin("status --repair", workspace)
    place, order = open_place_of(workspace, telling), order_of(telling.run, "repair", wait=wait)
    with telling.stage("repair") as report, holding(place, order, telling, report) as held:
        work = _Repair(held, look(place.target, place.ledger, report), report)
        verdict = work.record_what_serves(workspace, telling)
        work.settle_the_dead()
        deleted = work.write_what_is_known(workspace)
    for text in work.done:
        telling.events.emit(Remark(stage="repair", text=text))
    if verdict is not None and not verdict.ok:
        raise NotPutBack(
            f"what serves does not answer as it must: {verdict.reason}",
            hint="`shipper rollback` goes back to what did; `shipper logs` shows what it wrote",
            cause="not-verified",
        )
    if deleted is not None:
        raise NotPutBack(
            f"nothing serves: {deleted}",
            hint="`shipper rollback` brings back what was verified here; `shipper release` what is in the repository",
            cause="nothing-serves",
        )
    held.require_recorded("what serves is as it should be")
    serves, rollback = _what_serves(place)
    return RunFinished(
        code=0,
        cause="repaired" if work.done else "nothing-to-do",
        message=f"repaired: {show_count(len(work.done), 'thing')}" if work.done else "nothing to repair",
        serves=serves,
        rollback=rollback,
    )


def _what_serves(place: Place) -> Account:
    """For the last event: the work is done, whether or not the target answers once more."""
    try:
        return place.what_serves()
    except (PlatformError, ShipperError):
        return None, ""


@dataclass
class _Repair:
    """One repair: what was found, and what was done about it."""

    held: Held
    found: Serving
    report: StageReporter
    done: list[str] = field(default_factory=list)
    verified: set[int] = field(default_factory=set)
    """Numbers that this repair found to be well."""

    def record_what_serves(self, workspace: Workspace, telling: Telling) -> Verdict | None:
        """A release that serves, verified, and is not recorded so. Returns its verdict; None when nothing is asked."""
        release = self._unrecorded()
        if release is None:
            return None
        self.report.progress(f"verifying #{release.number}, which serves and is not recorded")
        verdict = prove(self.held.place.target, self.found, workspace.settings, telling.cancel)
        if verdict is None or not verdict.ok:
            return verdict
        if not self._begun(release):
            return verdict
        message = "found serving by status --repair"
        self.held.record(
            Finished(number=release.number, outcome="verified", message=message, verdict=verdict, serves=release.number)
        )
        self.verified.add(release.number)
        self.done.append(f"#{release.number} serves, proof: {verdict.proof}; that is recorded now")
        return verdict

    def _begun(self, release: Release) -> bool:
        """Whether the ledger has its number, from now on at least."""
        lines = self.found.known.numbered(release.number)
        if any(line.fingerprint == release.fingerprint and line.outcome is not None for line in lines):
            return True
        highest = self.held.place.ledger.state().highest
        if release.number <= highest:  # a ledger that was lost and begun anew: its numbers have gone past it
            self.report.remark(f"#{release.number} is older than the ledger, which is at #{highest}: not recorded")
            return False
        self.held.record(Started(release=release, by=self.held.order.by, reason="recorded by status --repair"))
        return True

    def settle_the_dead(self) -> None:
        """Whoever began a release and has not said how it ended is dead: we hold the lease."""
        serving = self.found.release.number if self.found.release is not None else None
        if not self.held.recorded:
            return
        for release in self.found.known.releases:
            if release.outcome != "started" or release.number in self.verified:
                continue
            message = "its run ended without a word; settled by status --repair"
            self.held.record(
                Finished(number=release.number, outcome="abandoned", cause="died", message=message, serves=serving)
            )
            self.done.append(f"#{release.number} was begun and its run died: recorded as abandoned")

    def write_what_is_known(self, workspace: Workspace) -> NotFound | None:
        """Everything that is written to the target. Returned: why it cannot be, where nothing is left to be written to:
        somebody has deleted what served.
        """
        try:
            self.write_the_stamp()
            self.clear_away(workspace)
        except NotFound as error:
            if self.found.main is None:
                return error
            raise
        return None

    def write_the_stamp(self) -> None:
        """The mark on the platform says again what the ledger knows."""
        known, stamp = self.found.known, self.found.observation.stamp
        numbers = [release.number for release in known.releases if release.verified]
        wanted = self._stamp(stamp, tuple(sorted({*numbers, *self.verified})))
        if wanted == stamp:
            return
        self.held.writer.write(
            lambda now, ours: self.held.place.target.write_stamp(
                wanted.model_copy(update={"epoch": ours.epoch, "highest": max(ours.highest, wanted.highest)}), now.seen
            ),
            "write the stamp",
        )
        self.done.append(f"the stamp says again what is known: up to #{wanted.highest}")

    def clear_away(self, workspace: Workspace) -> None:
        """Revisions without traffic that were never verified, and what else their runs have left."""
        target, known = self.held.place.target, self.found.known
        if {"ledger", "stamp"} <= {*known.missing}:
            self.report.remark("ledger and stamp are lost: nobody knows what was good, so nothing is cleared away")
            return
        good = {release.fingerprint for release in known.releases if release.verified} | {self._serving_fingerprint()}
        now = self.held.writer.observe()
        left = [found for found in now.revisions if found.release and found.fingerprint not in good]
        for revision in (found for found in left if found.weight):
            self.report.remark(f"{revision.name} was never verified and has {revision.weight} % of the traffic")
        gone = [found for found in left if not found.weight]
        names = ", ".join(found.name for found in gone)
        if gone:
            self.held.writer.write(
                lambda now, stamp: target.retire(gone, "removed", stamp, now.seen), f"remove {names}"
            )
            self.done.append(f"left by a dead run, removed: {names}")
        if isinstance(target, Collects):
            self._collect(target, workspace.settings.rollback.releases)

    def _collect(self, target: Collects, count: int) -> None:
        numbers = kept(self.found.known, self.found.observation, count)
        garbage = target.garbage(numbers, images_of(self.found.known, numbers))
        left = [one for one in garbage if one.kind == "leftover"]
        if left:
            gone = self.held.writer.write(
                lambda now, stamp: target.collect(left, stamp, now.seen), f"clear away {len(left)} leftovers"
            )
            self.done += [f"left by a dead run, removed: {one.name} ({one.why})" for one in gone]

    def _unrecorded(self) -> Release | None:
        """The release that serves, when ledger or stamp does not have it as verified and could have it."""
        main, record = self.found.main, self.found.record
        if main is None or record is None or main.release is None or not self.held.recorded:
            return None
        brought_back = self._brought_back(record)
        if brought_back is not None:
            return brought_back
        release: KnownRelease | None = self.found.release
        if release is None or (release.verified and release.outcome not in (*DEAD, None)):
            return None
        return record.model_copy(update={"number": release.number})

    def _brought_back(self, record: Release) -> Release | None:
        """A rollback that only the stamp knows of: the ledger did not answer then."""
        stamp, known = self.found.observation.stamp, self.found.known
        number = max(stamp.verified, default=0)
        if number != stamp.highest or number <= max((one.number for one in known.releases), default=0):
            return None
        update = {"number": number, "rollback_to": record.number, "id": new_release_id()}
        return record.model_copy(update=update)

    def _stamp(self, stamp: Stamp, verified: tuple[int, ...]) -> Stamp:
        known = self.found.known
        highest = max([known.highest, stamp.highest, *verified])
        with_all = with_verified(stamp.model_copy(update={"highest": highest}), *verified)
        return with_quarantine(with_all, known.quarantined, ())

    def _serving_fingerprint(self) -> str:
        main = self.found.main
        return (main.fingerprint or "") if main is not None else ""
