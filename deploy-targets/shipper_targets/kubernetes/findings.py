"""What was found of a rollout or of one pod: a step on the way, or why there is none any more. Pure."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

FOREVER = float("inf")


@dataclass(frozen=True)
class Finding:
    """`waiting` may heal by itself; when it stands for `patience` seconds it has failed.

    `cause` is a dossier's word. Where it is about a container: which one, how it ended, whether the log to read is that
    of the container before the one that is there now, and its memory limit in bytes.
    """

    state: Literal["waiting", "ready", "failed"]
    cause: str = ""
    reason: str = ""
    hint: str = ""
    patience: float = FOREVER
    pod: str = ""
    container: str = ""
    exit_code: int | None = None
    out_of_memory: bool = False
    lived: float | None = None
    previous: bool = False
    memory: int | None = None

    @property
    def key(self) -> tuple[str, str, float]:
        """What stands, as far as patience goes: the cause in a container, whatever its words and pod are just now."""
        return self.cause, self.container, self.patience

    @property
    def failed(self) -> Finding:
        """The same when patience has ended."""
        return Finding(**{**vars(self), "state": "failed", "patience": 0.0})


def failed(cause: str, reason: str, hint: str = "") -> Finding:
    """What can never heal."""
    return Finding("failed", cause, reason, hint, patience=0.0)


def waiting(cause: str, reason: str, hint: str = "", *, patience: float = FOREVER) -> Finding:
    """What may heal, for at most `patience` seconds."""
    return Finding("waiting", cause, reason, hint, patience=patience)


def worst(findings: Iterable[Finding]) -> Finding | None:
    """What has failed before what waits, the least patient first; of equals the first. Never `ready`."""
    found = [finding for finding in findings if finding.state != "ready"]
    return min(found, key=lambda finding: (finding.state != "failed", finding.patience), default=None)


class Patience:
    """Turns what has stood too long into a failure. `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._since: tuple[tuple[str, str, float], float] | None = None

    def judged(self, finding: Finding) -> Finding:
        """The finding, or the same as failed. Called with whatever is found, again and again."""
        now = self._clock()
        if self._since is None or self._since[0] != finding.key:
            self._since = finding.key, now
        stood = now - self._since[1]
        return finding.failed if finding.state == "waiting" and stood >= finding.patience else finding
