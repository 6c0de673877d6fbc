"""What is known of earlier releases here: the ledger's account and the platform's own, as one.

Either side suffices. The ledger has outcomes and times, the platform its records and the stamp; where one is missing
the reporter is told which.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from shipper.errors import LedgerError, PlatformError
from shipper.ledger.protocol import Ledger
from shipper.model import LedgerState, Observation, Outcome, Recorded, Release, Revision, Stamp, short
from shipper.model.context import Reporter
from shipper.rollout.platform_errors import not_written
from shipper.targets import Target

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


def _no_release(_: int) -> Release | None:
    return None


@dataclass(frozen=True)
class Known:
    """Everything that is known. `releases` oldest first; `quarantined` are short fingerprints of both sides."""

    releases: tuple[KnownRelease, ...] = ()
    quarantined: tuple[str, ...] = ()
    unrecorded_quarantine: tuple[str, ...] = ()
    """Those that the stamp has and the ledger has not."""
    highest: int = 0
    adopted: str | None = None
    missing: tuple[str, ...] = ()
    """The sides that were not there: "ledger", "platform", "stamp"."""
    records: tuple[Release, ...] = ()
    """The platform's own, oldest first."""
    look_up: Callable[[int], Release | None] = field(default=_no_release, compare=False, repr=False)
    """The ledger's whole record of a number. Raises LedgerError."""

    def __getitem__(self, number: int) -> KnownRelease | None:
        """The release of this number."""
        return next((release for release in self.releases if release.number == number), None)

    def release(self, number: int) -> Release | None:
        """Its whole record, from the platform or from the ledger: what a rollback brings back.

        One whose number has no record any more is found by its fingerprint: a rollback to #41 is #41's content.
        Raises LedgerError (33) when only the ledger could have it and does not answer.
        """
        own = next((record for record in self.records if record.number == number), None)
        if own is not None:
            return own
        wanted = self[number]
        same = [record for record in self.records if wanted and record.fingerprint == wanted.fingerprint]
        return same[-1] if same else self.look_up(number)

    def serving(self, revision: Revision) -> KnownRelease | None:
        """The release that this revision serves for: after a rollback the newer number, of the same content."""
        same = [found for found in self.releases if found.fingerprint == revision.fingerprint]
        verified = [found for found in same if found.verified and found.number >= (revision.number or 0)]
        return verified[-1] if verified else self[revision.number or -1]


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
        highest=max(state.highest, stamp.highest, highest),
        adopted=state.adopted,
        missing=missing,
        records=records,
        look_up=_no_release if ledger is None or ledger_problem else ledger.release,
    )


def merged(
    history: Iterable[Recorded], records: Iterable[Release], verified: Iterable[int]
) -> tuple[KnownRelease, ...]:
    """Both accounts by number, oldest first: where both have one, the ledger knows how it ended. Pure."""
    known_verified = set(verified)
    found = {record.number: _from_record(record, record.number in known_verified) for record in records}
    for line in history:
        found[line.number] = _from_line(line, line.outcome == "verified" or line.number in known_verified)
    return tuple(found[number] for number in sorted(found))


def _from_record(record: Release, verified: bool) -> KnownRelease:
    main = record.images.get("main")
    return KnownRelease(
        number=record.number,
        fingerprint=record.fingerprint,
        image=main.config_digest if main else "",
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
    missing = []
    if ledger_problem:
        report.remark(f"the ledger is unreachable ({ledger_problem}): history from the platform's own records")
        missing.append("ledger")
    elif records and not state.releases:
        url = ledger.url if ledger is not None else ""
        report.remark(f"the ledger {url} knows nothing of this service: history from the platform's own records")
        missing.append("ledger")
    if records and not stamp.highest:
        report.remark("the stamp on the platform is lost: what was verified is known from the ledger alone")
        missing.append("stamp")
    return tuple(missing)
