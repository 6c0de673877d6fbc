"""Doing one run in this process, as `shipper release` and `shipper rollback` do it, and saying how it ended."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

from shipper.errors import ShipperError
from shipper.ledger.open import open_ledger
from shipper.ledger.protocol import Ledger
from shipper.model import Deployable, Deployment, Event, Holder, Order
from shipper.model.context import Reporter
from shipper.model.evidence import Evidence
from shipper.model.release import new_release_id
from shipper.pipeline.cancellation import RunCancellation
from shipper.pipeline.clock import WallClock
from shipper.targets.conformance.doom import Doom, DoomedLedger, Killed
from shipper.targets.conformance.rig import Ended, Kill, Place, Run
from shipper.targets.conformance.values import Values
from shipper.targets.conformance.watched import Around, watched
from shipper.targets.protocol import Target

KILLED = 137
"""What a shell says of a process that SIGKILL ended: 128 + 9."""


class Heard:
    """A Reporter that remembers remarks and events."""

    def __init__(self) -> None:
        self.remarks: list[str] = []
        self.events: list[Event] = []

    def progress(
        self,
        text: str,
        done: float | None = None,
        total: float | None = None,
        unit: Literal["bytes", "steps", "percent", ""] = "",
    ) -> None:
        """Not kept."""

    def log(self, line: str, stream: str = "stdout") -> None:
        """Not kept."""

    def evidence(self, evidence: Evidence) -> None:
        """Not kept."""

    def remark(self, text: str) -> None:
        """Kept."""
        self.remarks.append(text)

    def emit(self, event: Event) -> None:
        """Kept."""
        self.events.append(event)


def run_here(
    place: Place,
    run: Run,
    kill: Kill | None = None,
    around: Around | None = None,
    cancel: RunCancellation | None = None,
) -> Ended:
    """One run against `place`. `around` goes around every call of its target (see `watched`).

    Its end is told as its user would see it; what no user may ever see (a platform's error, a bug) is raised.
    """
    doom, heard, started = Doom(kill), Heard(), time.monotonic()
    secrets = Values(run.secrets)
    target = watched(place.target(run.settings, secrets), doom.around)
    target = watched(target, around) if around is not None else target
    ledger = DoomedLedger(_ledger(place, run), doom)
    code, cause, message, details, deployment = 0, "", "", (), None
    try:
        deployment = _do(place, run, target, ledger, secrets, heard, cancel or RunCancellation(), kill is not None)
    except Killed:
        code, cause = KILLED, "killed"
    except ShipperError as error:
        code, cause, message, details = error.exit_code, error.cause, error.message, error.details
    return Ended(
        code=code,
        cause=cause,
        message=message,
        details=details,
        deployment=deployment,
        killed=doom.dead,
        writes=tuple(doom.writes),
        seconds=time.monotonic() - started,
        remarks=tuple(heard.remarks),
    )
