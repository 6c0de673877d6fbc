"""What an adapter's author provides: a fresh place, and hands on its platform that a target does not have.

A `Rig` makes places. Scenarios drive whole rollouts against a place through targets that it connects, one for each
run, as another process would. What only some platforms allow is a protocol of its own (`Drifts`, `LosesStamp`,
`Adopts` …): a place that does not have it leaves those scenarios out, and the table says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, runtime_checkable

from shipper.model import Deployment, ImageRef, Settings, TargetSettings, Wanted
from shipper.model.context import Secrets
from shipper.model.target import Traits
from shipper.targets.protocol import Target

ImageKind = Literal["good", "never-ready", "crash-loop", "failing", "missing"]
"""What an image's service does (service.py is such a service, in one file of the standard library).

good: ready at once; answers its text at `/`, an environment variable at `/env/NAME`, a secret at `/secrets/NAME`,
both byte for byte, 404 without one, and its text at `/slow/SECONDS` after that time. never-ready: runs, and its
readiness path answers 503. crash-loop: exits with status 3 as soon as it is started, each time. failing: ready, and
answers 500 at `/`. missing: its bytes are nowhere.
"""


@dataclass(frozen=True)
class Answer:
    """What a user got. `revision` is the platform's name of who answered, when the answer says so."""

    status: int
    body: bytes
    revision: str | None = None


@dataclass(frozen=True)
class Kill:
    """End a run's process without warning at its k-th write (from 1), before it is made or after it was."""

    when: Literal["before", "after"]
    at: int


@dataclass(frozen=True)
class Run:
    """One run of shipper: a release of `image`, or a rollback when there is none. JSON-ready but for the secrets."""

    settings: Settings
    image: ImageRef | None = None
    secrets: Mapping[str, str] = field(default_factory=dict)
    wanted: Wanted = field(default_factory=Wanted)
    ledger: str | None = None
    wait: float = 0.0
    commit: str | None = None
    commit_time: int | None = None


@dataclass(frozen=True)
class Ended:
    """How a run ended: exit code, cause and message as its user sees them."""

    code: int
    cause: str = ""
    message: str = ""
    details: tuple[str, ...] = ()
    deployment: Deployment | None = None
    killed: bool = False
    writes: tuple[str, ...] = ()
    """The writes that were counted, in their order: a violation can say at which one."""
    seconds: float = 0.0
    remarks: tuple[str, ...] = ()

    @property
    def done(self) -> Deployment:
        """What a run that ended with 0 says of its release."""
        assert self.deployment is not None, f"it ended with {self.code} and deployed nothing: {self.message}"
        return self.deployment

    @property
    def number(self) -> int:
        """Of that release."""
        return self.done.number


@runtime_checkable
class Place(Protocol):
    """One service in one environment on one target, that nobody else uses. Nothing serves at first."""

    @property
    def chosen(self) -> TargetSettings:
        """The target's name, kind and own settings, as in `[targets.<name>]`."""

    def settings(self) -> Settings:
        """What a release here starts from: service, environment, port, readiness path and budgets.

        `[health] startup` is how long a good image may take here; scenarios change the rest (`changed`).
        """

    def target(self, settings: Settings, secrets: Secrets) -> Target:
        """A target for one run, connected anew, as another process would: no memory of earlier runs."""

    def image(self, kind: ImageKind, text: str = "") -> ImageRef:
        """An image that the place can run. The same arguments give the same image."""

    def ask(self, path: str = "/") -> Answer:
        """Ask the service's address as a user does. Raises OSError when nothing answers at all."""

    def leaks(self) -> Sequence[str]:
        """What is on the platform for this service and belongs to no revision and no record; [] when all does.

        After `remove()` everything that is left is a leak.
        """

    def close(self) -> None:
        """Remove everything that was made for this place, whatever state it is in."""


class Rig(Protocol):
    """Makes places of one kind."""

    @property
    def kind(self) -> str:
        """The kind, as in the printed table; may name a variant ("memory, one write")."""

    @property
    def traits(self) -> Traits:
        """What its targets can do: scenarios are chosen by these, before any place is made."""

    @property
    def powers(self) -> frozenset[type]:
        """The protocols that its targets and places have: SplitsTraffic, Probes …, Drifts, LosesStamp …

        `powers_of(target, place)` finds them.
        """

    def fresh(self, service: str = "") -> Place:
        """A place where nothing was ever released; for a service of exactly this name, when one is given."""


@runtime_checkable
class Drifts(Protocol):
    """Fields that shipper owns can be changed by hand."""

    def drift(self) -> None:
        """Change one of what serves, past shipper, so that the service goes on answering."""


@runtime_checkable
class LosesStamp(Protocol):
    """The stamp can be lost, and with it what only the stamp knew."""

    def lose_stamp(self) -> None:
        """Remove the stamp by hand; revisions and their records stay."""


@runtime_checkable
class LosesImages(Protocol):
    """An image can be deleted behind our back."""

    def lose_image(self, image: ImageRef) -> None:
        """Remove it wherever the platform would find it; what runs goes on running."""


@runtime_checkable
class LosesRevisions(Protocol):
    """A revision without traffic can be deleted behind our back."""

    def lose_revision(self, name: str) -> None:
        """Remove it by hand; its release's record may go with it."""


@runtime_checkable
class StoresSecrets(Protocol):
    """Secrets are the platform's own (PinsSecrets): a scenario's values are put there by hand."""

    def store_secret(self, name: str, value: str) -> str:
        """The reference for `[run.secrets]` that means this value from now on."""


@runtime_checkable
class RunsCommands(Protocol):
    """Its images have something that can be run to its end (for targets that are RunsOnce)."""

    def command(self, status: int) -> Sequence[str]:
        """Prints a line, and ends with this status."""


@runtime_checkable
class Adopts(Protocol):
    """Something that shipper never touched can serve at the address."""

    def adopt(self, text: str) -> None:
        """Put a foreign server that answers `text` where our service would be."""


@runtime_checkable
class KillsProcesses(Protocol):
    """A run that is to be killed is a process. Without this it runs here, and the kill is a BaseException."""

    def run(self, run: Run, kill: Kill) -> Ended:
        """Do it in a process of its own; kill that process, and all of its children, where `kill` says.

        A kill that is beyond the last write kills nothing. `run_in_child` does it, where a write is a call of the
        target; with a proxy in front of the platform's API a rig can count the platform's own writes instead.
        """
