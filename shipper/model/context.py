"""The services that every stage may ask for by name and type: reporter, cancellation, clock, secrets, configuration.

They are protocols, so that a stage's signature resolves without any SDK and a test passes a plain object.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Literal, Protocol, runtime_checkable

from shipper.model.event import Event
from shipper.model.evidence import Evidence
from shipper.model.secret import Secret

VersionsOf = Callable[[Mapping[str, str]], Mapping[str, str]]
"""Name -> reference to name -> the platform's version of now (targets.PinsSecrets)."""


@runtime_checkable
class Reporter(Protocol):
    """How a stage tells what happens. The engine hands each stage one that knows the stage's name."""

    def progress(
        self,
        text: str,
        done: float | None = None,
        total: float | None = None,
        unit: Literal["bytes", "steps", "percent", ""] = "",
    ) -> None:
        """What is being done right now."""

    def log(self, line: str, stream: str = "stdout") -> None:
        """A line of a child or a container; redacted by the reporter."""

    def evidence(self, evidence: Evidence) -> None:
        """A piece of evidence was found."""

    def remark(self, text: str) -> None:
        """Something that a reader should know although nothing failed."""

    def emit(self, event: Event) -> None:
        """Any other event."""


@runtime_checkable
class Cancellation(Protocol):
    """Whether this run was cancelled (a signal, a failed neighbour). Nothing blocks without asking it."""

    @property
    def cancelled(self) -> bool:
        """True from the moment of cancellation on."""

    @property
    def remaining(self) -> float | None:
        """Seconds left for putting things back; None when nobody is waiting with a SIGKILL."""

    def check(self) -> None:
        """Raise errors.Interrupted (or Terminated) when cancelled."""

    def wait(self, seconds: float) -> bool:
        """Sleep at most `seconds`; True as soon as cancelled."""

    def on_cancel(self, callback: Callable[[], None]) -> AbstractContextManager[None]:
        """Call `callback` (from another thread) on cancellation while the block runs; at once if it was already."""


@runtime_checkable
class Clock(Protocol):
    """Time, so that tests need none."""

    def now(self) -> float:
        """Unix seconds."""

    def monotonic(self) -> float:
        """Seconds of a clock that never goes back."""


@runtime_checkable
class Secrets(Protocol):
    """Secret values of this run, resolved on the releaser's machine."""

    def run(self) -> tuple[Secret, ...]:
        """`[run.secrets]`, without those that are the platform's own. Raises ConfigError when one has no value."""

    def build(self) -> tuple[Secret, ...]:
        """`[image.secrets]`. Raises ConfigError when one cannot be resolved."""

    def trial(self) -> tuple[Secret, ...]:
        """What a candidate gets in the smoke test: `[run.secrets]`, with the stand-ins of `[smoke.secrets]`.

        A platform's own secret without a stand-in is read from the platform. Raises ConfigError when one has no value.
        """

    def trial_versions(self) -> dict[str, str]:
        """As `versions`, of the stand-ins of `[smoke.secrets]`. Raises ConfigError when one has no value."""

    def pinned(self, references: Mapping[str, str], versions_of: VersionsOf) -> dict[str, str]:
        """Name to version of the platform's own secrets: those that this run's trial had, as far as it had any.

        Asked for a release: each is confirmed to be there still. Raises what `versions_of` raises.
        """

    def versions(self, key: bytes | None = None) -> dict[str, str]:
        """Name to a keyed hash of the value of `[run.secrets]`: changes with the value, tells nothing about it.

        Without those that are the platform's own: their versions are the platform's (targets.PinsSecrets).

        `key` is the place's own (targets.KeysSecrets), so that every machine finds the same; this user's when None.
        """


@runtime_checkable
class Configuration(Protocol):
    """The file that the settings of this run come from."""

    def place_of(self, key: str) -> str:
        """Where a key such as "run.memory" is written, or else the table around it: `shipper.toml:7:3`.

        Empty where no file says anything of it.
        """
