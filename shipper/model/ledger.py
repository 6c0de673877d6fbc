"""What the ledger holds: entries, what they fold to, who holds the lease."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from shipper.model.noun import Noun
from shipper.model.release import Release
from shipper.model.target import Verdict

Outcome = Literal["started", "verified", "failed", "put-back", "not-put-back", "interrupted", "overtaken", "abandoned"]
"""How a release ended. `started`: its run is at work, or died; `abandoned`: a later run found that it had died."""


class Holder(Noun):
    """Who holds a lease, or wrote an entry: shown to whoever has to wait."""

    run: str = Field(description="The run's id (ULID).")
    purpose: Literal["release", "rollback", "remove", "gc", "repair"]
    who: str = Field(description='Such as "alice@laptop".')
    machine: str = Field(description="Host name.")
    pid: int
    boot: str = Field(default="", description="The machine's boot id; a dead process of this boot holds nothing.")
    birth: str = Field(default="", description="When the process began, by the boot's own clock: pids are used again.")
    since: float = Field(description="Unix seconds by the holder's own clock; for people, never compared.")


class Started(Noun):
    """A release was begun. This entry claims its number: numbers are never used twice."""

    kind: Literal["started"] = "started"
    release: Release
    by: Holder
    reason: str = Field(default="", description="`--reason`, of a rollback.")


class Finished(Noun):
    """How it ended. The last such entry of a number counts (`status --repair` may write one later)."""

    kind: Literal["finished"] = "finished"
    number: int
    outcome: Outcome
    cause: str = ""
    message: str = ""
    verdict: Verdict | None = None
    serves: int | None = Field(default=None, description="The number that serves afterwards, as observed.")
    quarantine: tuple[str, ...] = Field(default=(), description="Short fingerprints that may not come back.")
    lift: tuple[str, ...] = Field(default=(), description="Short fingerprints that somebody asked for by name.")
    seconds: float = 0.0


class Adopted(Noun):
    """What served here before shipper came: #0, a way back while it is there."""

    kind: Literal["adopted"] = "adopted"
    revision: str
    by: Holder


class Removed(Noun):
    """The service was removed from the target: nothing serves any more."""

    kind: Literal["removed"] = "removed"
    by: Holder


class Unknown(Noun):
    """A fact of a newer shipper. Ignored, unless its entry is critical."""

    KIND: ClassVar[str] = "unknown"
    kind: str
    body: dict[str, Any]


Fact = Annotated[Started | Finished | Adopted | Removed, Field(discriminator="kind")]


class Entry(Noun):
    """Entry N of a log: written once, never changed."""

    schema_number: int = 1
    position: int = Field(ge=1)
    nonce: str = Field(description="The writer's own: tells ours from theirs after a doubtful answer.")
    at: float = Field(description="Unix seconds by the writer's clock; for people.")
    epoch: int = Field(description="The lease's epoch under which it was written; 0 without one.")
    run: str
    critical: bool = Field(default=False, description="A reader that does not know this kind must stop.")
    fact: Fact | Unknown


class Recorded(Noun):
    """One line of history: a release, as the ledger knows it."""

    number: int
    id: str
    fingerprint: str
    image: str = Field(description="Config digest of the service's own image.")
    reference: str = Field(default="", description="How that image is asked for: repo@sha256:… once published.")
    commit: str | None = None
    outcome: Outcome
    cause: str = ""
    proof: str = "none"
    started: float
    finished: float | None = None
    until: float | None = Field(default=None, description="When another release took its place.")
    who: str = ""
    rollback_to: int | None = None
    reason: str = ""
    position: int = Field(description="Of its `started` entry: the whole release is there.")
    run: str = Field(default="", description="The run that began it.")
    epoch: int = Field(default=0, description="The lease's epoch under which it was begun.")


class LedgerState(Noun):
    """The fold of a log: what a run needs to know, of bounded size whatever the log's length."""

    position: int = Field(default=0, description="The newest entry; 0 for an empty log.")
    highest: int = Field(default=0, description="The highest number that was ever claimed.")
    serving: int | None = Field(default=None, description="What served, by the newest entry that says so.")
    quarantined: tuple[str, ...] = Field(default=(), description="Short fingerprints, oldest first.")
    verified: tuple[int, ...] = Field(default=(), description="Newest last; bounded.")
    releases: tuple[Recorded, ...] = Field(default=(), description="The newest, oldest first; bounded.")
    adopted: str | None = Field(default=None, description="The revision that is #0.")
