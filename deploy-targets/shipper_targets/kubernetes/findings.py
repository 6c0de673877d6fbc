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
    of the container before the one that is there now, and its memory limit in bytes. `waits_for`: what has to go first;
    with others it is another wait. `beside`: what was found of other pods, each with a patience of its own.
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
    waits_for: tuple[str, ...] = ()
    beside: tuple[Finding, ...] = ()

    @property
    def key(self) -> tuple[object, ...]:
        """What stands, as far as patience goes: the cause in a container of one pod, whatever its words are just now.

        Another pod's trouble is another one: in a rollout that goes on there is always some pod without a place.
        """
        return self.cause, self.pod, self.container, self.waits_for, self.patience

    @property
    def failed(self) -> Finding:
        """The same when patience has ended."""
        return Finding(**{**vars(self), "state": "failed", "patience": 0.0, "beside": ()})


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
        self._since: dict[tuple[object, ...], float] = {}

    def judged(self, finding: Finding) -> Finding:
        """The finding; as failed when it, or one beside it, stood too long. Called with all that is found each time."""
        now = self._clock()
        found = (finding, *finding.beside)
        self._since = {one.key: self._since.get(one.key, now) for one in found}
        over = (one for one in found if one.state == "waiting" and now - self._since[one.key] >= one.patience)
        return next((one.failed for one in over), finding) if finding.state == "waiting" else finding
