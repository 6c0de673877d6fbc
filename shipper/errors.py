"""Every error class of shipper, with its exit code and the next step to try.

The exit code says what serves; `cause` says why (docs/reference/exit-codes.md is generated from this file).
Whoever raises decides the code: nothing further up translates it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar


class ShipperError(Exception):
    """A failure that we understand. Shown as one line and a next step, never as a traceback.

    `code` is the process exit code, `cause` a short machine-readable reason (kebab-case),
    `hint` says what to do next, `details` are further lines (log tail, list of problems).
    """

    code: ClassVar[int] = 70
    cause: str = "bug"
    meaning: ClassVar[str] = "a bug of ours, with a report file"

    def __init__(self, message: str, *, hint: str = "", details: Sequence[str] = (), cause: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.details = tuple(details)
        self.cause = cause or type(self).cause

    @property
    def exit_code(self) -> int:
        """The exit code of this very error (a refusal with several reasons takes the lowest)."""
        return self.code


class UsageError(ShipperError):
    """A wrong option, argument or combination."""

    code = 2
    cause = "usage"
    meaning = "usage or configuration; nothing written"


class ConfigError(UsageError):
    """The configuration is wrong. `details` has one line per problem, all of them at once."""

    cause = "configuration"


class OutputError(UsageError):
    """What a command that only reads has to say cannot be written where it was told to."""

    cause = "output"


class PipelineError(ConfigError):
    """A pipeline cannot be loaded: its stages do not fit together. `details` has one line per problem."""

    cause = "pipeline"


class BuildError(ShipperError):
    """The image could not be built. `details` holds the last lines of the build."""

    code = 11
    cause = "build"
    meaning = "build failed; nothing written"


class ScannerError(ShipperError):
    """The scanner or its database cannot be used: fail closed, never pass for want of a scanner."""

    code = 13
    cause = "scanner"
    meaning = "scanner or its database unusable; nothing written"


class SmokeError(ShipperError):
    """The smoke test itself could not run (a candidate that fails is evidence, not this error)."""

    code = 14
    cause = "smoke"
    meaning = "the candidate failed its smoke test; nothing written"


class PublishError(ShipperError):
    """The image could not be pushed, or what the registry holds is not what was tested."""

    code = 15
    cause = "publish"
    meaning = "publish failed or was not proved; nothing that affects traffic written"


class PolicyError(ShipperError):
    """Refused by policy: size, quarantine, freeze, approval, older commit."""

    code = 16
    cause = "policy"
    meaning = "refused by policy (size, quarantine, freeze, approval, older commit); nothing written"


class GateRefused(ShipperError):
    """The gate said no. `refusals` are (exit code, reason) pairs; the exit code is the lowest of them."""

    cause = "gate"

    def __init__(
        self,
        message: str,
        refusals: Sequence[tuple[int, str]],
        *,
        hint: str = "",
        details: Sequence[str] = (),
    ) -> None:
        super().__init__(message, hint=hint, details=details)
        self.refusals = tuple(refusals)

    @property
    def exit_code(self) -> int:
        return min((code for code, _ in self.refusals), default=12)


class PreflightRefused(GateRefused):
    """The target refuses this release before anything is built."""

    cause = "preflight"

    @property
    def exit_code(self) -> int:
        return min((code for code, _ in self.refusals), default=2)


class LockedError(ShipperError):
    """Another writer holds the lock."""

    code = 30
    cause = "locked"
    meaning = "another run holds the lock; nothing written"


class Overtaken(LockedError):
    """Another run took the lease over, or wrote with a higher epoch: this one writes nothing any more."""

    cause = "overtaken"


class DriftError(ShipperError):
    """Somebody changed what we own by hand."""

    code = 31
    cause = "drift"
    meaning = "drift of fields that shipper owns; nothing written"


class CredentialsError(ShipperError):
    """Credentials are missing, wrong or not permitted."""

    code = 32
    cause = "credentials"
    meaning = "credentials or permission; nothing written"


class UnreachableError(ShipperError):
    """The platform, the engine or the registry does not answer."""

    code = 33
    cause = "unreachable"
    meaning = "platform unreachable; nothing written"


class LedgerError(UnreachableError):
    """The ledger's store does not answer, refuses us, or holds what we cannot read."""

    cause = "ledger"


class RolloutFailed(ShipperError):
    """The rollout failed before traffic moved; what served before still does, verified."""

    code = 20
    cause = "rollout"
    meaning = "failed; what served before (perhaps nothing) still does, verified"


class PutBack(ShipperError):
    """Traffic had moved and was put back, verified: what served before, perhaps nothing, serves again."""

    code = 21
    cause = "put-back"
    meaning = "traffic had moved; put back to what served before (perhaps nothing), verified"


class NotPutBack(ShipperError):
    """Not healthy and not put back: a person is needed."""

    code = 22
    cause = "not-put-back"
    meaning = "not healthy and not put back: a person is needed"


class RollbackImpossible(ShipperError):
    """There is nothing to roll back to, or it cannot be brought back."""

    code = 23
    cause = "rollback-impossible"
    meaning = "rollback impossible, with the reason"


class NotRecorded(ShipperError):
    """Serves and is verified, but could not be recorded."""

    code = 24
    cause = "not-recorded"
    meaning = "serves and verified, but not recorded"


class Interrupted(ShipperError):
    """Stopped by a signal; what served before serves."""

    code = 130
    cause = "interrupted"
    meaning = "interrupted (SIGINT), restored"


class Terminated(Interrupted):
    """Stopped by SIGTERM; what served before serves."""

    code = 143
    cause = "terminated"
    meaning = "terminated (SIGTERM), restored"


class BugError(ShipperError):
    """Something that we did not foresee."""


class PlatformError(Exception):
    """What an adapter raises at its edge. The rollout decides what it means; only Transient may be retried."""

    partly = False
    """Whether the call had written our stamp before this ended it: what it was to write beyond that is not all there.
    An adapter whose writes are several calls sets it.
    """

    hint = ""
    """What to do next, where the adapter knows it."""


class Transient(PlatformError):
    """The same idempotent call may succeed if it is made again."""


class NotFound(PlatformError):
    """The thing asked for is not there."""


class Conflict(PlatformError):
    """Somebody else wrote since `seen`: check the lease, observe again, decide again."""


class Denied(PlatformError):
    """Not permitted."""


class Invalid(PlatformError):
    """The platform refuses this request as it is; repeating it cannot help."""


class HalfDone(PlatformError):
    """A part of what was asked for is done, and the rest is in somebody else's hands: asked again later, it goes on."""


def caused_by(error: BaseException, kind: type[BaseException] | tuple[type[BaseException], ...]) -> bool:
    """Whether an error of this kind is at the bottom, however deep an SDK and its HTTP libraries have wrapped it."""
    seen: list[object] = [error]
    for candidate in seen:
        if isinstance(candidate, kind):
            return True
        if isinstance(candidate, BaseException) and len(seen) < 100:
            seen += [candidate.__cause__, candidate.__context__, *candidate.args]
    return False
