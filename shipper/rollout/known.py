"""What is known of earlier releases here: the ledger's account and the platform's own, as one.

Either side suffices. The ledger has outcomes and times, the platform its records and the stamp; where one is missing
the reporter is told which.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field

from shipper.errors import LedgerError, PlatformError
from shipper.ledger.protocol import Ledger
from shipper.model import LedgerState, Observation, Outcome, Recorded, Release, Revision, Stamp, short
from shipper.model.context import Reporter
from shipper.rollout.platform_errors import not_written
from shipper.targets import GivesBack, SplitsTraffic, Target

DEAD: tuple[Outcome, ...] = ("started", "abandoned")
"""Outcomes of a release whose run did not tell how it ended."""


@dataclass(frozen=True)
class KnownRelease:
    """One release, as ledger and platform know it. Times are Unix seconds; `until`: when another took its place."""

    number: int
    fingerprint: str
    image: str
    """Config digest of the service's own image."""
    created: float
    reference: str = ""
    """How that image is asked for."""
    id: str = ""
    commit: str | None = None
    outcome: Outcome | None = None
    """None when only the platform knows of it: whether it is verified is all that can be said."""
    cause: str = ""
    verified: bool = False
    finished: float | None = None
    until: float | None = None
    rollback_to: int | None = None
    who: str = ""
    reason: str = ""
    proof: str = "none"

    @property
    def short(self) -> str:
        """The part of the fingerprint that people and stamps use."""
        return short(self.fingerprint)

    @property
    def name(self) -> str:
        """For people: "#44 (rollback to #41)"."""
        return f"#{self.number}" if self.rollback_to is None else f"#{self.number} (rollback to #{self.rollback_to})"

    @property
    def gave_back(self) -> bool:
        """It gave the traffic back to what served before shipper came: it has no image of its own, and no revision."""
        return self.rollback_to == 0

    def serves_as(self, revision: Revision) -> bool:
        """Whether this revision is what it brought."""
        return revision.release is None if self.gave_back else self.fingerprint == revision.fingerprint


def _no_release(_: int) -> Release | None:
    return None


def _nothing() -> str:
    return ""


@dataclass(frozen=True)
class Known:
    """Everything that is known. `releases` oldest first; `quarantined` are short fingerprints of both sides.

    A number stands twice in `releases` where a run without the ledger took one that the ledger had given already.
    """

    releases: tuple[KnownRelease, ...] = ()
    quarantined: tuple[str, ...] = ()
    unrecorded_quarantine: tuple[str, ...] = ()
    """Those that the stamp has and the ledger has not."""
    verified: tuple[int, ...] = ()
    """Numbers that either side has as verified, rising: also one of which neither has more than the number."""
    highest: int = 0
    adopted: str | None = None
    splits: bool = True
    """Whether the target gives traffic to any revision that runs: where it does not, only what has a record returns."""
    missing: tuple[str, ...] = ()
    """The sides that were not there: "ledger", "platform", "stamp"."""
    records: tuple[Release, ...] = ()
    """The platform's own, oldest first."""
    look_up: Callable[[int], Release | None] = field(default=_no_release, compare=False, repr=False)
    """The ledger's whole record of a number. Raises LedgerError."""
    given_back: Callable[[], str] = field(default=_nothing, compare=False, repr=False)
    """What was here before shipper and comes back by removal alone: see `targets.GivesBack`. Raises PlatformError."""

    def __getitem__(self, number: int) -> KnownRelease | None:
        """The release of this number; of two the verified one, else the newer."""
        return max(self.numbered(number), key=lambda release: (release.verified, release.created), default=None)

    def numbered(self, number: int) -> tuple[KnownRelease, ...]:
        """All of this number."""
        return tuple(release for release in self.releases if release.number == number)

    def release(self, number: int) -> Release | None:
        """The whole record of this number: see `record`."""
        wanted = self[number]
        found = self.record(wanted) if wanted is not None else self.look_up(number)
        return found if found is not None and found.images else None

    def record(self, wanted: KnownRelease) -> Release | None:
        """Its whole record, from the platform or from the ledger: what a rollback brings back.

        One of which no record is left is found by its fingerprint: a rollback to #41 is #41's content. What served
        before shipper came has none. Raises LedgerError (33) when only the ledger could have it and does not answer.
        """
        if wanted.gave_back:
            return None
        same = [record for record in self.records if record.fingerprint == wanted.fingerprint]
        own = [record for record in same if record.number == wanted.number]
        if own or same:
            return (own or same)[-1]
        found = self.look_up(wanted.number)
        return found if found is not None and found.fingerprint == wanted.fingerprint else None

    def whose(self, digits: str) -> str:
        """Which releases this short fingerprint or short image digest is of, for people: "#3", "image of #2, #3"; empty
        when none is known."""
        own = [f"#{release.number}" for release in self.releases if release.short == digits]
        image = [f"#{release.number}" for release in self.releases if release.image and short(release.image) == digits]
        return ", ".join(own) or ("image of " if image else "") + ", ".join(image)

    def serving(self, revision: Revision) -> KnownRelease | None:
        """The release that this revision serves for: after a rollback the newer number, of the same content."""
        if revision.release is None:
            back = [found for found in self.releases if found.verified and found.gave_back]
            return back[-1] if back and self.adopted in (None, revision.name) else None
        same = [found for found in self.releases if found.fingerprint == revision.fingerprint]
        verified = [found for found in same if found.verified and found.number >= (revision.number or 0)]
        own = [found for found in same if found.number == revision.number]
        return next(reversed(verified or own), None)


def known(
    target: Target,
    ledger: Ledger | None,
    report: Reporter,
    *,
    observation: Observation | None = None,
    whole: bool = False,
) -> Known:
    """Ask both sides. `whole` reads the ledger's whole history, not only the newest releases that its state holds.

    `observation` spares observing again. Raises what the platform's error means (32, 33) when neither side answers.
    """
    state, history, ledger_problem = _of_ledger(ledger, whole)
    stamp, records, highest, platform_problem = _of_platform(target, observation)
    if platform_problem is not None and (ledger_problem or not state.position):
        raise not_written(platform_problem) from platform_problem
    missing = _missing(ledger, state, stamp, records, ledger_problem, platform_problem, report)
    verified = {*state.verified, *stamp.verified}
    return Known(
        releases=merged(history, records, verified),
        quarantined=tuple(dict.fromkeys((*state.quarantined, *stamp.quarantined))),
        unrecorded_quarantine=tuple(one for one in stamp.quarantined if one not in state.quarantined),
        verified=tuple(sorted(verified)),
        highest=max(state.highest, stamp.highest, highest),
        adopted=state.adopted,
        splits=isinstance(target, SplitsTraffic),
        missing=missing,
        records=records,
        look_up=_no_release if ledger is None or ledger_problem else ledger.release,
        given_back=target.given_back if isinstance(target, GivesBack) and platform_problem is None else _nothing,
    )


def merged(
    history: Iterable[Recorded], records: Iterable[Release], verified: Iterable[int]
) -> tuple[KnownRelease, ...]:
    """Both accounts as one, oldest first: where both have a release, the ledger knows how it ended. Pure.

    Whether it is the same release its id says, not its number: a run without the ledger may have taken a number that
    the ledger had given already. Then both stand here.
    """
    known_verified, own = set(verified), tuple(records)
    found = {record.id: _from_record(record, record.number in known_verified) for record in own}
    for line in history:
        found[line.id] = _from_line(line, _is_verified(line, own, known_verified))
    return tuple(sorted(found.values(), key=lambda release: (release.number, release.created)))


def _is_verified(line: Recorded, records: Collection[Release], verified: Collection[int]) -> bool:
    """As the ledger says; where its run did not live to say so, as the stamp says of its number.

    That number must be its own: its record is on the platform, or it is a rollback that needed none.
    """
    if line.outcome not in DEAD:
        return line.outcome == "verified"
    ids = [record.id for record in records if record.number == line.number]
    return line.number in verified and (line.id in ids if ids else line.rollback_to is not None)


def _from_record(record: Release, verified: bool) -> KnownRelease:
    main = record.images.get("main")
    return KnownRelease(
        number=record.number,
        fingerprint=record.fingerprint,
        image=main.config_digest if main else "",
        reference=main.reference if main else "",
        created=record.created,
        id=record.id,
        commit=record.commit,
        verified=verified,
        rollback_to=record.rollback_to,
    )


def _from_line(line: Recorded, verified: bool) -> KnownRelease:
    return KnownRelease(
        number=line.number,
        fingerprint=line.fingerprint,
        image=line.image,
        reference=line.reference,
        created=line.started,
        id=line.id,
        commit=line.commit,
        outcome=line.outcome,
        cause=line.cause,
        verified=verified,
        finished=line.finished,
        until=line.until,
        rollback_to=line.rollback_to,
        who=line.who,
        reason=line.reason,
        proof=line.proof,
    )


def _of_ledger(ledger: Ledger | None, whole: bool) -> tuple[LedgerState, tuple[Recorded, ...], str]:
    if ledger is None:
        return LedgerState(), (), "there is no ledger"
    try:
        state = ledger.state()
        return state, tuple(ledger.history()) if whole else state.releases, ""
    except LedgerError as error:
        return LedgerState(), (), error.message


def _of_platform(
    target: Target, observation: Observation | None
) -> tuple[Stamp, tuple[Release, ...], int, PlatformError | None]:
    try:
        found = observation or target.observe()
        return found.stamp, tuple(target.records()), found.highest, None
    except PlatformError as error:
        return Stamp(), (), 0, error


def _missing(
    ledger: Ledger | None,
    state: LedgerState,
    stamp: Stamp,
    records: tuple[Release, ...],
    ledger_problem: str,
    platform_problem: PlatformError | None,
    report: Reporter,
) -> tuple[str, ...]:
    """Which side was not there; told, because what follows rests on the other one alone."""
    if platform_problem is not None:
        report.remark(f"the platform does not answer ({platform_problem}): what follows is the ledger's account alone")
        return ("platform",)
    missing, url = [], ledger.url if ledger is not None else ""
    recorded = records[-1].ledger if records else ""
    elsewhere = f"its newest release was recorded in {recorded}: --ledger names another" if recorded != url else ""
    if ledger_problem:
        report.remark(f"the ledger is unreachable ({ledger_problem}): history from the platform's own records")
        missing.append("ledger")
    elif records and not state.releases:
        told = f" ({elsewhere})" if recorded and elsewhere else ""
        report.remark(f"the ledger {url} knows nothing of this service{told}: history from the platform's own records")
        missing.append("ledger")
    elif recorded and elsewhere:
        report.remark(f"this is the ledger {url}; {elsewhere}")
    if records and not stamp.highest:
        report.remark("the stamp on the platform is lost: what was verified is known from the ledger alone")
        missing.append("stamp")
    return tuple(missing)
