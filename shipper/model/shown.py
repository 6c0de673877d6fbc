"""What the reading commands show: `status`, `history`, `verify`, `plan`, `rollback --dry-run`, `gc --plan` …"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from shipper.model.ledger import Outcome
from shipper.model.noun import Noun
from shipper.model.target import Change, Drift, Garbage, Observation, Plan, Traits, Verdict


class LedgerShown(Noun):
    """Which ledger, and whether it could be read."""

    url: str
    highest: int = Field(default=0, description="The highest number that it knows.")
    serving: int | None = Field(default=None, description="What served, by its newest entry that says so.")
    problem: str = Field(default="", description="Why it could not be read; empty when it could.")


class Dangling(Noun):
    """A release that was begun and of which nobody said how it ended."""

    number: int
    who: str
    started: float = Field(description="Unix seconds.")


class Status(Noun):
    """`shipper status`."""

    service: str
    environment: str
    target: str
    observation: Observation
    image: str = Field(default="", description="How the image that serves is asked for, where that is known.")
    verdict: Verdict | None = Field(description="None when nothing serves.")
    number: int | None = Field(default=None, description="Of the release that serves; None when that is not known.")
    rollback_to: int | None = Field(default=None, description="The number that it brought back.")
    ledger: LedgerShown | None = None
    quarantined: tuple[str, ...] = Field(default=(), description="Short fingerprints that may not come back.")
    whose: dict[str, str] = Field(default_factory=dict, description="Which releases these are of, where that is known.")
    dangling: tuple[Dangling, ...] = ()
    remarks: tuple[str, ...] = ()
    rollback: str = Field(default="", description="The way back, or why there is none.")


class HistoryLine(Noun):
    """One release, as ledger and platform know it. Times are Unix seconds."""

    number: int
    outcome: Outcome | None = Field(description="None when only the platform knows of it.")
    verified: bool
    proof: str = "none"
    cause: str = ""
    who: str = ""
    commit: str | None = None
    image: str = Field(description="Config digest of the service's own image.")
    reference: str = Field(default="", description="How that image is asked for: repo@sha256:… once published.")
    fingerprint: str
    started: float
    finished: float | None = None
    served: float | None = Field(default=None, description="Seconds from verified until another took its place.")
    serves: bool = Field(default=False, description="Whether it serves now.")
    rollback_to: int | None = None
    reason: str = ""


class History(Noun):
    """`shipper history`, newest first."""

    service: str
    environment: str
    target: str
    ledger: str = Field(description="URL of the ledger; empty when the platform's own records are all there is.")
    releases: tuple[HistoryLine, ...]
    remarks: tuple[str, ...] = ()


class Verified(Noun):
    """`shipper verify`."""

    service: str
    environment: str
    target: str
    serves: str = Field(description='Such as "#44 (rollback to #41)"; empty when nothing serves.')
    revision: str = ""
    address: str = ""
    verdict: Verdict

    @property
    def exit_code(self) -> int:
        """0, or 22: what serves does not answer as it must, or nothing serves."""
        return 0 if self.verdict.ok else 22


class PlannedRollback(Noun):
    """`shipper rollback --dry-run`."""

    service: str
    environment: str
    target: str
    to: str = Field(description='Such as "#41".')
    serves: str = Field(description="What it is left for; empty when nothing serves.")
    nothing: bool = Field(description="It serves already: there is nothing to do.")
    warm: bool = Field(description="One write brings it back; otherwise it has to start.")
    age: float | None = Field(default=None, description="Seconds since it was released.")
    healthy_for: float | None = Field(default=None, description="Seconds that it had served, verified.")
    changes: tuple[Change, ...] = ()
    quarantine: tuple[str, ...] = ()
    lift: tuple[str, ...] = ()
    whose: dict[str, str] = Field(default_factory=dict, description="Which releases these are of, where that is known.")
    problems: tuple[str, ...] = Field(default=(), description="Why it cannot come back, and what to pass.")
    remarks: tuple[str, ...] = ()


class PlannedGc(Noun):
    """`shipper gc --plan`."""

    service: str
    environment: str
    target: str
    keep: tuple[int, ...] = Field(description="Numbers that stay able to come back, and what serves.")
    garbage: tuple[Garbage, ...]

    @property
    def bytes(self) -> int:
        """What its removal would free, as far as that is known."""
        return sum(one.size or 0 for one in self.garbage)


class ToRemove(Noun):
    """What `shipper remove` takes away."""

    service: str
    environment: str
    target: str
    revisions: tuple[str, ...]
    address: str = ""


class Planned(Noun):
    """`shipper plan`."""

    service: str
    environment: str
    target: str
    plan: Plan
    strategy: str = Field(default="", description="The rollout: configured, or the target's own default.")
    image_known: bool
    drift: tuple[Drift, ...] = Field(default=(), description="Changed by hand: a release is refused for it.")
    remarks: tuple[str, ...] = Field(default=(), description="What else keeps a release from being made as it is now.")


class InstalledKind(Noun):
    """A kind of target that can be used here; `problem` says what is missing when it cannot."""

    kind: str
    traits: Traits | None
    problem: str = ""


class ConfiguredTarget(Noun):
    """A place named in the configuration."""

    name: str
    kind: str
    settings: dict[str, object]


class Targets(Noun):
    """`shipper targets`."""

    installed: tuple[InstalledKind, ...]
    configured: tuple[ConfiguredTarget, ...]
    configuration: str = Field(description="Path of the configuration; empty when there is none here.")


class Check(Noun):
    """One thing that the doctor looked at."""

    name: str
    state: Literal["ok", "warning", "failed"]
    found: str
    hint: str = ""
    code: int = Field(default=0, description="The exit code that a release would end with.")


class Checkup(Noun):
    """`shipper doctor`."""

    checks: tuple[Check, ...]

    @property
    def exit_code(self) -> int:
        """0, or the lowest code of what failed."""
        return min((check.code for check in self.checks if check.state == "failed"), default=0)


class CheckedConfiguration(Noun):
    """`shipper config check`: it is in order, else ConfigError was raised."""

    path: str
    service: str
    environment: str
    targets: tuple[str, ...]


class DescribedPipeline(Noun):
    """`shipper pipeline show`: the derived order, as levels of stages that may run side by side."""

    name: str
    goal: str
    seeds: tuple[str, ...]
    levels: tuple[tuple[str, ...], ...]
    drawing: str
