"""What can go wrong with a child process. Callers translate these into what it means for the release."""

from __future__ import annotations

from collections.abc import Sequence

from shipper.errors import UnreachableError, UsageError


class ProgramMissing(UsageError):
    """The program is not installed, or may not be executed."""

    cause = "program-missing"


class TimedOut(UnreachableError):
    """The child did not end in time; it and everything it had started was killed. `details`: its last lines."""

    cause = "timed-out"


class ClientFailed(UnreachableError):
    """A client program ended with an error.

    `program` is its name and sub-commands ("docker buildx build"), never its arguments: they may hold secrets.
    `kind` is the client library's name for the error, such as "NoSuchImage".
    """

    cause = "client-failed"

    def __init__(self, program: str, returncode: int, stderr: str, *, kind: str = "") -> None:
        lines = [line for line in stderr.splitlines() if line.strip()]
        reason = lines[-1].strip() if lines else "it said nothing"
        super().__init__(f"{program} ended with status {returncode}: {reason}", details=_tail(lines))
        self.program = program
        self.returncode = returncode
        self.stderr = stderr
        self.kind = kind


def _tail(lines: Sequence[str], count: int = 40) -> tuple[str, ...]:
    return tuple(lines[-count:])
