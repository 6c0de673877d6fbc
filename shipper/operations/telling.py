"""A command that writes, told as events: opened, cancelled by signals, ended by an exit code that says what serves."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal, TypeVar

from shipper.config import ResolvedSecrets
from shipper.errors import BugError, ConfigError, ShipperError
from shipper.model import (
    Deployment,
    Product,
    RunFinished,
    RunStarted,
    Sealed,
    Serves,
    StageFinished,
    StageStarted,
    new_release_id,
)
from shipper.operations.workspace import Workspace
from shipper.pipeline.cancellation import RunCancellation
from shipper.pipeline.clock import WallClock
from shipper.pipeline.engine import run
from shipper.pipeline.events import Events, Sink
from shipper.pipeline.journal import Journal
from shipper.pipeline.loading import load
from shipper.pipeline.reporter import StageReporter
from shipper.pipeline.signals import install_signals
from shipper.reporting.failures import write_bug_report
from shipper.version import __version__

_log = logging.getLogger(__name__)

LAST_LOOK = 5.0
"""Seconds that saying what serves after a failure may take: the failure itself has been found by then."""

LEAST = 3.0
"""Seconds: with less time left before a SIGKILL nothing is looked up any more."""

_NOTHING_WAS_ASKED = (2, 32, 33)
"""Exit codes after which the target was never asked, or does not answer."""

Goal = TypeVar("Goal", bound=Product)
Account = tuple[Serves | None, str]
"""What serves, and the way back, for the last event."""


class Telling:
    """One run: its events, its cancellation and its clock."""

    def __init__(self, sinks: Sequence[Sink]) -> None:
        self.clock = WallClock()
        self.events = Events(new_release_id(self.clock.now()), sinks, self.clock)
        self.cancel = RunCancellation()
        self.what_serves: Callable[[], Account] | None = None
        """Asked after a failure, as soon as somebody can tell."""

    @property
    def run(self) -> str:
        """The run's id."""
        return self.events.run

    @contextlib.contextmanager
    def stage(self, name: str) -> Iterator[StageReporter]:
        """The one stage of a command that needs no pipeline: started and ended like any other."""
        started = self.clock.monotonic()
        status: Literal["done", "failed"] = "failed"
        self.events.emit(StageStarted(stage=name))
        try:
            yield StageReporter(self.events, name)
            status = "done"
        finally:
            self.events.emit(StageFinished(stage=name, status=status, seconds=self.clock.monotonic() - started))

    def carry_out(
        self,
        name: str,
        goal: type[Goal],
        seeds: Sequence[Product],
        services: Mapping[str, object],
        journal: Journal | None = None,
    ) -> Goal:
        """The pipeline of this name, told as it goes. Raises what its stages raise."""
        product = run(
            load(name),
            seeds=seeds,
            services=services,
            events=self.events,
            cancel=self.cancel,
            clock=self.clock,
            journal=journal,
        )
        if not isinstance(product, goal):
            raise TypeError(f"the pipeline {name} ended with {type(product).__name__}")
        return product

    def begin(self, command: str, workspace: Workspace) -> None:
        """The first event. Secrets of the configuration are hidden from here on, those that have a value here;
        what a trial gets besides (stand-ins, the platform's own) is hidden from when it is read."""
        if isinstance(workspace.secrets, ResolvedSecrets):
            workspace.secrets.tells(self.events.add_secrets)
        with contextlib.suppress(ConfigError):
            self.events.add_secrets(workspace.secrets.run())
        with contextlib.suppress(ConfigError):
            self.events.add_secrets(workspace.secrets.build())
        self.events.emit(
            RunStarted(
                command=command,
                service=workspace.service,
                environment=workspace.environment,
                target=workspace.chosen.name,
                version=__version__,
            )
        )


def tell(sinks: Sequence[Sink], act: Callable[[Telling], RunFinished]) -> int:
    """`act` to its end, and the exit code; every ending is told as the event `run-finished`.

    Raises only what is no ShipperError: a bug of ours.
    """
    telling = Telling(sinks)
    started = telling.clock.monotonic()
    with telling.events, install_signals(telling.cancel):
        try:
            finished = act(telling)
        except ShipperError as error:
            finished = _failed(error, *_last_look(telling, error))
        seconds = round(telling.clock.monotonic() - started, 3)
        stages = {stage: round(took, 3) for stage, took in telling.events.timings.items()}
        telling.events.emit(finished.model_copy(update={"stages": stages, "seconds": seconds}))
        return finished.code


def serves(deployment: Deployment) -> Serves:
    """What serves, for the last event."""
    address = deployment.address
    return Serves(
        revision=deployment.revision,
        number=deployment.number,
        rollback_to=deployment.rollback_to,
        release=deployment.release_id,
        fingerprint=deployment.fingerprint,
        address=address.url if address else None,
        host=address.host if address else None,
        image=deployment.image,
        previous=deployment.previous,
        changed=deployment.changed,
        proof=deployment.verdict.proof,
        probes=deployment.verdict.probes,
    )


def done(sealed: Sealed, *, verb: str, nothing: str) -> RunFinished:
    """The last event of a run that ended well. `verb` is its cause, `nothing` what is said when nothing changed."""
    deployment = sealed.deployment
    back = f" (rollback to #{deployment.rollback_to})" if deployment.rollback_to is not None else ""
    return RunFinished(
        code=0,
        cause=verb if deployment.changed else "nothing-to-do",
        message=f"release {deployment.number} serves{back}" if deployment.changed else f"nothing to do: {nothing}",
        serves=serves(deployment),
        rollback=sealed.rollback,
    )


def _failed(error: ShipperError, serving: Serves | None, rollback: str) -> RunFinished:
    if isinstance(error, BugError):
        error = write_bug_report(error.__cause__ or error)
    refusals = getattr(error, "refusals", ())
    return RunFinished(
        code=error.exit_code,
        cause=error.cause,
        message=error.message,
        hint=error.hint,
        details=error.details,
        refusals=tuple({"code": code, "reason": reason} for code, reason in refusals),
        serves=serving,
        rollback=rollback,
    )


def _last_look(telling: Telling, error: ShipperError) -> Account:
    """What serves after a failure and how to go back, where that can be said in a moment."""
    remaining = telling.cancel.remaining
    if telling.what_serves is None or error.exit_code in _NOTHING_WAS_ASKED:
        return None, ""
    if remaining is not None and remaining < LEAST:
        return None, ""
    found: list[Account] = []
    look = telling.what_serves

    def looking() -> None:
        try:
            found.append(look())
        except Exception as error:  # noqa: BLE001 - the run's own error is told; this would only add to it
            _log.debug("what serves after the failure is not known: %s", error)

    thread = threading.Thread(target=looking, name="shipper-last-look", daemon=True)
    thread.start()
    thread.join(LAST_LOOK if remaining is None else min(LAST_LOOK, remaining - 1.0))
    return found[0] if found else (None, "")
