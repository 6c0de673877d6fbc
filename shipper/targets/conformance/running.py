"""Doing one run in this process, as `shipper release` and `shipper rollback` do it, and saying how it ended."""

from __future__ import annotations

import os
import socket
import time
from typing import Literal

from shipper.errors import ShipperError
from shipper.ledger.holders import this_process
from shipper.ledger.opening import open_ledger
from shipper.ledger.protocol import Ledger
from shipper.model import Deployable, Deployment, Event, Holder, Order, ServiceSettings
from shipper.model.evidence import Evidence
from shipper.model.release import new_release_id
from shipper.pipeline.cancellation import RunCancellation
from shipper.pipeline.clock import WallClock
from shipper.rollout.roll_out import roll_out
from shipper.stages.select import select
from shipper.targets.conformance.doom import Doom, DoomedLedger, Killed
from shipper.targets.conformance.rig import Ended, Kill, Place, Run
from shipper.targets.conformance.values import Values
from shipper.targets.conformance.watched import Around, watched
from shipper.targets.protocol import Target

KILLED = 137
"""What a shell says of a process that SIGKILL ended: 128 + 9."""

NOBODY = 2**22 + 1
"""A process id that no process can have on Linux (PID_MAX_LIMIT, proc(5)): of a run that is to be killed."""


class Heard:
    """A Reporter that remembers remarks."""

    def __init__(self) -> None:
        self.remarks: list[str] = []

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
        """Not kept."""


def run_here(
    place: Place,
    run: Run,
    kill: Kill | None = None,
    around: Around | None = None,
    cancel: RunCancellation | None = None,
    doom: Doom | None = None,
) -> Ended:
    """One run against `place`. `around` goes around every call of its target (see `watched`).

    Its end is told as its user would see it; what no user may ever see (a platform's error, a bug) is raised. `doom`
    is what `kill` makes when it is not given.
    """
    pretended = kill is not None and doom is None
    doom, heard, started = doom or Doom(kill), Heard(), time.monotonic()
    secrets = Values(run.secrets)
    target = watched(place.target(run.settings, secrets), doom.around)
    code, cause, message, deployment = 0, "", "", None
    details: tuple[str, ...] = ()
    try:
        ledger = DoomedLedger(ledger_of(run.ledger, run.settings.service, place.chosen.name), doom)
        deployment = _do(
            place=place,
            run=run,
            target=watched(target, around) if around is not None else target,
            ledger=ledger,
            secrets=secrets,
            heard=heard,
            cancel=cancel or RunCancellation(),
            doomed=pretended,
        )
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


def ledger_of(url: str | None, service: ServiceSettings, target: str) -> Ledger:
    """That of this service on the target of this name, below `url`."""
    return open_ledger(url, service=service.service, environment=service.environment, target=target, environ=os.environ)


def _do(
    place: Place,
    run: Run,
    target: Target,
    ledger: Ledger,
    secrets: Values,
    heard: Heard,
    cancel: RunCancellation,
    doomed: bool,
) -> Deployment:
    """What the stages select and rollout do (publish, of a release, was done by whoever made the image)."""
    clock = WallClock()
    if run.image is None:
        deployable = select(run.wanted, run.settings, target, ledger, heard, clock)
    else:
        deployable = Deployable(
            images={"main": run.image},
            settings=run.settings,
            commit=run.commit,
            commit_time=run.commit_time,
            published=run.image.manifest_digest is not None,
        )
    order = Order(by=_holder("release" if run.image else "rollback", doomed), wait=run.wait)
    return roll_out(deployable, order, place.chosen, target, ledger, secrets, heard, cancel, clock)


def _holder(purpose: Literal["release", "rollback"], doomed: bool) -> Holder:
    """This process; a run that is to be killed here pretends to be one that is not there afterwards."""
    found = this_process(new_release_id(), purpose, f"conformance@{socket.gethostname()}")
    return found.model_copy(update={"pid": NOBODY, "birth": ""}) if doomed else found
