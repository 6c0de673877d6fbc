"""release: from the sources to verified traffic, told as events, ended by an exit code that says what serves."""

from __future__ import annotations

from collections.abc import Sequence

from shipper.errors import BugError, ShipperError
from shipper.model import (
    Deployment,
    Product,
    Remark,
    RunFinished,
    RunStarted,
    Sealed,
    Settings,
    TargetSettings,
    new_release_id,
)
from shipper.operations.services import Services, open_services
from shipper.operations.where import Where
from shipper.operations.workspace import Workspace, open_workspace
from shipper.pipeline import Events, Journal, RunCancellation, Sink, WallClock, install_signals, load, run
from shipper.reporting.failures import write_bug_report
from shipper.version import __version__


def release(where: Where, sinks: Sequence[Sink], *, fresh: bool = False) -> int:
    """Run the release pipeline and return the exit code; every ending is told as the event `run-finished`.

    `fresh` uses nothing that an earlier run found out. Raises only what is no ShipperError: a bug of ours.
    """
    clock = WallClock()
    events = Events(new_release_id(clock.now()), sinks, clock)
    started = clock.monotonic()
    with events, install_signals(RunCancellation()) as cancel:
        try:
            workspace = open_workspace(where)
            events.add_secrets((*workspace.secrets.run(), *workspace.secrets.build()))
            events.emit(_opening(workspace))
            with open_services(workspace, clock) as services:
                sealed = _run(workspace, services, events, cancel, clock, fresh=fresh)
                if sealed.deployment.changed:
                    _tidy(workspace, services, events)
        except ShipperError as error:
            finished = _failed(error)
        else:
            finished = _done(sealed)
        seconds = round(clock.monotonic() - started, 3)
        events.emit(finished.model_copy(update={"stages": _rounded(events.timings), "seconds": seconds}))
        return finished.code


def _run(
    workspace: Workspace,
    services: Services,
    events: Events,
    cancel: RunCancellation,
    clock: WallClock,
    *,
    fresh: bool,
) -> Sealed:
    product = run(
        load("release"),
        seeds=seeds_of(workspace.settings, workspace.chosen),
        services=services.by_name(),
        events=events,
        cancel=cancel,
        clock=clock,
        journal=None if fresh else Journal.default(),
    )
    if not isinstance(product, Sealed):
        raise TypeError(f"the release pipeline ended with {type(product).__name__}")
    return product


def _tidy(workspace: Workspace, services: Services, events: Events) -> None:
    """Old local tags of ours go. What fails here fails nobody: the release serves."""
    try:
        services.engine.prune(workspace.settings.service.service)
    except ShipperError as error:
        events.emit(Remark(text=f"old images were not removed: {error.message}"))


def seeds_of(settings: Settings, chosen: TargetSettings) -> tuple[Product, ...]:
    """The settings, whole and in slices: each stage takes what it needs, so that nothing else makes it run again."""
    return (
        settings,
        settings.service,
        settings.image,
        settings.run,
        settings.health,
        settings.smoke,
        settings.scan,
        chosen,
    )


def _opening(workspace: Workspace) -> RunStarted:
    service = workspace.settings.service
    return RunStarted(
        command="release",
        service=service.service,
        environment=service.environment,
        target=workspace.chosen.name,
        version=__version__,
    )


def _done(sealed: Sealed) -> RunFinished:
    deployment = sealed.deployment
    message = (
        f"release {deployment.number} serves"
        if deployment.changed
        else f"nothing to do: release {deployment.number} already serves exactly this"
    )
    return RunFinished(
        code=0,
        cause="released" if deployment.changed else "nothing-to-do",
        message=message,
        serves=_serves(deployment),
        rollback=sealed.rollback,
    )


def _serves(deployment: Deployment) -> dict[str, object]:
    address = deployment.address
    return {
        "revision": deployment.revision,
        "number": deployment.number,
        "release": deployment.release_id,
        "fingerprint": deployment.fingerprint,
        "previous": deployment.previous,
        "changed": deployment.changed,
        "image": deployment.image,
        "address": address.url if address else None,
        "host": address.host if address else None,
        "proof": deployment.verdict.proof,
        "probes": list(deployment.verdict.probes),
    }


def _failed(error: ShipperError) -> RunFinished:
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
    )


def _rounded(timings: dict[str, float]) -> dict[str, float]:
    return {stage: round(seconds, 3) for stage, seconds in timings.items()}
