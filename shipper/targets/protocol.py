"""The seam: what a place where services run must be able to do.

A target implements SplitsTraffic, Replaces or both; optional powers (Probes, StreamsLogs, StoresImages, RunsOnce …)
are separate protocols, never stub methods. Every write takes `seen` from an observation and may raise
errors.Conflict: rollout then observes again and decides again. Errors at the adapter's edge are Transient,
NotFound, Conflict, Denied and Invalid (shipper.errors). docs/architecture.md has every member x six platforms.

`isinstance(target, Power)` asks whether the members are there, and never for a property's value: that may ask the
platform. Python's own protocols are so from 3.12 on, these already on 3.11.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel
from typing_extensions import Protocol, runtime_checkable

from shipper.model import (
    Change,
    Dossier,
    Garbage,
    Observation,
    Plan,
    ProbeRequest,
    ProbeResponse,
    Problem,
    Progress,
    Release,
    Restorable,
    Revision,
    Settings,
    Stamp,
    TargetSpec,
    Traffic,
    Traits,
)
from shipper.model.context import Cancellation, Reporter, Secrets

Retired = Literal["warm", "stopped", "removed"]


@runtime_checkable
class Target(Protocol):
    """A place where one service runs in one environment."""

    @property
    def kind(self) -> str:
        """Such as "docker"."""

    @property
    def traits(self) -> Traits:
        """What this kind can do."""

    @property
    def default_platform(self) -> str:
        """The platform that images must have here, such as "linux/amd64". May ask the platform; cached."""

    def preflight(self, spec: TargetSpec) -> Sequence[Problem]:
        """Everything that would make this release fail, found before the build. Never writes.

        A problem's key is that of shipper.toml, `targets.port` for the target's own settings, and `[targets.<name>]` in
        its words is that table: the name, and where the key is written, are put in by who asks.
        """

    def observe(self) -> Observation:
        """What serves now, what is there, what was changed by hand, and `seen` for the next write."""

    def plan(self, release: Release, observation: Observation) -> Plan:
        """What a release would change. Never writes; may ask the platform for a dry run."""

    def progress(self, revision: Revision) -> Iterator[Progress]:
        """Yields at least every 0.5 s until `ready` or `failed`; says at once what can never heal.

        The caller owns the deadline and simply stops asking.
        """

    def revisions(self) -> Sequence[Revision]:
        """Every revision of ours, oldest first."""

    def retire(self, revisions: Sequence[Revision], to: Retired, stamp: Stamp, seen: str) -> None:
        """Revisions that have no traffic leave its way, once nothing is in flight on them; the stamp goes along.

        warm: ready to take traffic again within a write. stopped: costs no memory, has to start again. removed:
        gone; what its release needs to be applied again (record, secret values, image) stays until `collect`, where
        the platform keeps these apart from the revision. Removing one that is gone is not an error; one that has
        traffic is Invalid.
        """

    def write_stamp(self, stamp: Stamp, seen: str) -> None:
        """Write the stamp alone."""

    def remove(self, stamp: Stamp, seen: str) -> None:
        """Remove everything of this service here. Idempotent."""

    def records(self) -> Sequence[Release]:
        """The immutable record of every release that the platform still has, oldest first: no ledger is needed."""

    def restorable(self, release: Release) -> Restorable:
        """Whether this release of then can come back: its revision, else its image and its secret values. No write."""


@runtime_checkable
class SplitsTraffic(Target, Protocol):
    """Revisions live beside each other and share traffic by weight."""

    def create(self, release: Release, stamp: Stamp, seen: str) -> Revision:
        """A revision with no traffic. The same release id gives the same revision; a stopped one is started again."""

    def shift(self, weights: Mapping[str, int], stamp: Stamp, seen: str) -> None:
        """Set the traffic: revision name to percent, summing to 100. No request in flight is dropped.

        An empty mapping takes all traffic away: putting back to "nothing served".
        """


@runtime_checkable
class Replaces(Target, Protocol):
    """Applying a release moves the traffic."""

    def replace(self, release: Release, stamp: Stamp, seen: str) -> Revision:
        """Apply. The same release id gives the same revision."""

    def abort(self, in_flight: str, stamp: Stamp, seen: str) -> None:
        """Stop an operation that is under way and put back what was there."""


@runtime_checkable
class Finishes(Protocol):
    """A release that replaces is sometimes ready before it has the traffic: then the last step is ours to ask for."""

    def finish(self, revision: Revision, stamp: Stamp, seen: str) -> None:
        """Asked once the revision is ready: it takes the traffic over, in one write. Idempotent.

        No write where the platform has moved the traffic, or is doing so, by itself. Killed before it, the operation is
        in flight still, and what served serves. Putting back does not come here: `replace` gives what still runs its
        traffic at once.
        """


@runtime_checkable
class Renders(Protocol):
    """What the platform is given can be written out: for people, and for those who bring it there another way."""

    def content(self, settings: Settings) -> str:
        """What the target itself adds to a release besides `[run]`, `[scale]` and `[health]`, as a digest that is part
        of its fingerprint: manifests of the project's own. Empty when there is nothing such. No write.

        Raises ConfigError (2) for what cannot be read.
        """

    def render(self, release: Release) -> Sequence[tuple[str, str]]:
        """File name and text, the same for the same release, without what says which release it is. No write."""


@runtime_checkable
class Probes(Protocol):
    """A revision can be asked before it has traffic."""

    def probe(self, revision: Revision, request: ProbeRequest) -> ProbeResponse:
        """Ask exactly this revision. Raises Transient when it does not answer in time."""


@runtime_checkable
class StreamsLogs(Protocol):
    """The platform gives a revision's output."""

    def logs(self, revision: Revision, *, lines: int = 200, follow: bool = False) -> Iterator[str]:
        """The last `lines` lines, then what comes, when `follow`."""


@runtime_checkable
class Diagnoses(Protocol):
    """The target can say why a revision is not ready, at the moment when the caller's patience ends."""

    def diagnose(self, revision: Revision) -> Dossier:
        """What is known now; cause "unknown" or "not-ready" when nothing better can be said. Never raises."""


@runtime_checkable
class RunsOnce(Protocol):
    """A command can be run to its end in the release's image, as `[run]` says, where the service will run."""

    def run_once(self, release: Release, command: Sequence[str]) -> int:
        """Its exit status; its output goes to the context's `report`, line by line. Nothing of it stays.

        Raises what keeps it from being run at all: Invalid, Denied, NotFound, Transient. Cancelled, it is ended.
        """


@runtime_checkable
class StoresImages(Protocol):
    """Publishing without a registry: the target holds images itself."""

    def has(self, config_digest: str) -> str | None:
        """The reference by which it runs the image with exactly this config digest; None when it has none."""

    def load(self, archive: Path, sent: Callable[[int], None] | None = None) -> str:
        """Load a saved image and return its config digest, proved.

        `sent` is called with the bytes sent so far; what it raises ends the call, and nothing is loaded then.
        """


@runtime_checkable
class Measures(Protocol):
    """The platform counts requests, errors and latency for each revision."""

    def measure(self) -> Mapping[str, Traffic]:
        """Revision name to its counters, as they are now. No write."""


@runtime_checkable
class AsksInside(Protocol):
    """The service's address can be asked from where the target is, when it cannot be reached from here."""

    def ask(self, request: ProbeRequest) -> ProbeResponse:
        """As a client there would: routed by weight. Raises Transient when nothing answers in time."""


@runtime_checkable
class KeysSecrets(Protocol):
    """The place has a key of its own for the versions of secrets, the same for every machine that may write there."""

    def secret_key(self) -> bytes | None:
        """At least 16 random bytes; None while there is none: the first `create` makes it. No write."""

    def make_secret_key(self) -> bytes:
        """The same, made when there is none. Affects no traffic."""


@runtime_checkable
class PinsSecrets(Protocol):
    """Secrets are the platform's own: the configuration names them, and a release has them by version."""

    def secret_versions(self, references: Mapping[str, str]) -> Mapping[str, str]:
        """Name to the one version that its reference means now, in the platform's words. No write.

        `references` are those of `[run.secrets]` with a native scheme, or versions that this returned before: a version
        means itself. Raises NotFound for one that is not there or not enabled (any more), Denied, Transient.
        """

    def secret_value(self, reference: str) -> bytes:
        """The value of a reference or a version, for the smoke test. Raises NotFound, Denied, Transient."""


@runtime_checkable
class Authorizes(Protocol):
    """The service's address answers only those who may ask it, and this target can make us one of them."""

    def authorization(self) -> Mapping[str, str]:
        """Headers for a request to the address. Raises Denied, Transient."""


@runtime_checkable
class Compares(Protocol):
    """A release is more here than its image and its settings, such as manifests of the project's own, and recorded."""

    def differences(self, now: Release, then: Release) -> Sequence[Change]:
        """What of that would be different once `then` is back instead of `now`; empty where either has no record.

        As people may see it: no secret's value. No write.
        """


@runtime_checkable
class GivesBack(Protocol):
    """What was here before shipper came is kept, also where no rollback can apply it: removing gives it back."""

    def given_back(self) -> str:
        """What `remove` would give its place back to, such as "Deployment shop"; empty for nothing. No write."""


@runtime_checkable
class Collects(Protocol):
    """The platform keeps what old releases needed until somebody cleans up."""

    def garbage(self, keep: Sequence[int], images: Collection[str]) -> Sequence[Garbage]:
        """What would go if only these numbers, and what serves, must be able to come back. No write.

        `images` are the config digests of these releases as the ledger knows them: no image with one of these is
        ever garbage, whatever became of the platform's own records.
        """

    def collect(self, garbage: Sequence[Garbage], stamp: Stamp, seen: str) -> tuple[Garbage, ...]:
        """Remove it; the stamp goes along. What came into use since is left alone.

        Returns those that are not there any more: what the platform refused to remove is not among them.
        """


@dataclass(frozen=True)
class TargetContext:
    """What an adapter gets when it is connected. `report` and `cancel` are for calls that take long (a pull)."""

    name: str
    settings: Settings
    own: Mapping[str, Any]
    secrets: Secrets
    report: Reporter | None = None
    cancel: Cancellation | None = None


class TargetKind(Protocol):
    """What an adapter registers under the entry-point group `shipper.targets`."""

    @property
    def kind(self) -> str:
        """The word used as `kind = …` and as `--target …`."""

    @property
    def traits(self) -> Traits:
        """Known without connecting."""

    @property
    def settings_model(self) -> type[BaseModel]:
        """The kind's own settings in `[targets.<name>]` (frozen, extra="forbid"), besides `kind`.

        What only says how this machine gets there has `json_schema_extra={"reach": True}`: from another machine it is
        not taken from a release's record. `"unless-said"` instead of True: it is, where that machine says nothing else.
        What says which place it is, from whichever machine, has `json_schema_extra={"locates": True}`: a release that
        its ledger knows from another place of this name is refused.
        """

    def from_url(self, url: str) -> dict[str, Any]:
        """Settings from `--target URL`, such as `docker://`. Raises errors.UsageError when it is not one of ours."""

    def connect(self, context: TargetContext) -> Target:
        """A target. Connecting is lazy: no I/O before the first call."""
