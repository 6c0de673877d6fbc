"""An in-memory target that splits traffic: as strict as the seam says (seen, conflicts, no traffic lost).

What it gets wrong: nothing takes time, and a revision's answers are given by the test.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from shipper.errors import Conflict, Invalid, PlatformError
from shipper.model import (
    Dossier,
    Drift,
    Observation,
    Plan,
    Problem,
    Progress,
    Release,
    Revision,
    Stamp,
    TargetSpec,
    Traits,
)


@dataclass
class MemoryTarget:
    """One service on one imaginary place. `fail` maps a call's name to the error that it raises, once or always."""

    steps: list[Progress] = field(default_factory=lambda: [Progress(state="waiting"), Progress(state="ready")])
    fail: dict[str, PlatformError] = field(default_factory=dict)
    after: dict[str, list[object]] = field(default_factory=dict)
    version: int = 0
    weights: dict[str, int] = field(default_factory=dict)
    held: dict[str, Revision] = field(default_factory=dict)
    stamp: Stamp = field(default_factory=Stamp)
    drift: tuple[Drift, ...] = ()
    in_flight: str | None = None
    calls: list[str] = field(default_factory=list)

    kind = "memory"
    default_platform = "linux/amd64"
    traits = Traits(strategies=("all-at-once",), needs_registry=False)

    def preflight(self, spec: TargetSpec) -> Sequence[Problem]:
        return ()

    def observe(self) -> Observation:
        self._call("observe")
        revisions = tuple(self._seen_revision(name) for name in self.held)
        return Observation(
            seen=str(self.version),
            serving=tuple(revision for revision in revisions if revision.weight),
            revisions=revisions,
            stamp=self.stamp,
            highest=max((revision.number or 0 for revision in revisions), default=0),
            drift=self.drift,
            in_flight=self.in_flight,
        )

    def plan(self, release: Release, observation: Observation) -> Plan:
        return Plan(summary="in memory")

    def create(self, release: Release, stamp: Stamp, seen: str) -> Revision:
        self._write("create", seen)
        name = f"web-{release.number}"
        self.held[name] = Revision(
            name=name, release=release.id, number=release.number, fingerprint=release.fingerprint
        )
        self.stamp = stamp
        return self.held[name]

    def shift(self, weights: Mapping[str, int], stamp: Stamp, seen: str) -> None:
        self._write("shift", seen)
        if weights and sum(weights.values()) != 100:
            raise Invalid(f"weights sum to {sum(weights.values())}")
        if missing := set(weights) - set(self.held):
            raise Invalid(f"no revision {missing}")
        self.weights = dict(weights)
        self.stamp = stamp

    def progress(self, revision: Revision) -> Iterator[Progress]:
        self._call("progress")
        yield from self.steps
        while True:
            yield Progress(state="waiting", reason="still loading")

    def diagnose(self, revision: Revision) -> Dossier:
        return Dossier(cause="not-ready", reason="", log_tail=("loading the model",))

    def revisions(self) -> Sequence[Revision]:
        return tuple(self._seen_revision(name) for name in self.held)

    def retire(self, revisions: Sequence[Revision], to: Literal["stopped", "removed"], seen: str) -> None:
        self._write("retire", seen)
        for revision in revisions:
            if self.weights.get(revision.name):
                raise Invalid(f"{revision.name} has traffic")
            if to == "removed":
                self.held.pop(revision.name, None)
            elif revision.name in self.held:
                self.held[revision.name] = self.held[revision.name].model_copy(update={"state": "stopped"})

    def write_stamp(self, stamp: Stamp, seen: str) -> None:
        self._write("write_stamp", seen)
        self.stamp = stamp

    def remove(self) -> None:
        self._call("remove")
        self.weights, self.held = {}, {}

    def _seen_revision(self, name: str) -> Revision:
        return self.held[name].model_copy(update={"weight": self.weights.get(name, 0)})

    def _write(self, name: str, seen: str) -> None:
        self._call(name)
        if seen != str(self.version):
            raise Conflict(f"seen {seen}, now {self.version}")
        self.version += 1

    def _call(self, name: str) -> None:
        self.calls.append(name)
        if name in self.fail:
            raise self.fail[name]
        for action in self.after.pop(name, []):
            if callable(action):
                action()
