"""doctor: this machine, the configuration and the target; every check runs, and says what to do when it fails."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from shipper.errors import PlatformError, ShipperError
from shipper.model.shown import Check, Checkup
from shipper.operations.ledgers import ledger_of
from shipper.operations.where import Where
from shipper.operations.workspace import Workspace, open_place, open_workspace
from shipper.pipeline.remarks import Remarks
from shipper.rollout.guards import drift_refusal
from shipper.rollout.platform_errors import not_written
from shipper.stages.preflight import drift_behind, problems_of, what_of


def doctor(where: Where) -> Checkup:
    """Never raises for what it finds wrong: that is what it shows."""
    checks = [*_configuration(where), _engine(), _scanner()]
    return Checkup(checks=tuple(checks))


def _configuration(where: Where) -> Iterator[Check]:
    """The configuration, and with it the target."""
    try:
        workspace = open_workspace(where) if where.service is None else open_place(where)
    except ShipperError as error:
        yield _failed("configuration", error)
        return
    path = workspace.path or "not at hand, that of its newest release"
    yield Check(name="configuration", state="ok", found=f"{path}: {workspace.service} in {where.environment}")
    yield _looked("secrets", lambda: _secrets(workspace))
    yield from _target(workspace)
    yield from _builder(workspace)
    yield _looked("ledger", lambda: _ledger(workspace))


def _ledger(workspace: Workspace) -> str:
    ledger = ledger_of(workspace)
    highest = ledger.state().highest
    alone = ", whose lease covers this machine only" if ledger.machine_only else ""
    return f"{ledger.url}: {f'up to #{highest}' if highest else 'empty'}{alone}"


def _secrets(workspace: Workspace) -> str:
    count = len(workspace.secrets.run()) + len(workspace.secrets.build())
    native = len(workspace.settings.run.secrets) - len(workspace.secrets.run())
    said = [f"{count} resolved"] if count else []
    said += [f"{native} of the platform's own, which the target looks at"] if native > 0 else []
    return ", ".join(said) or "none configured"


def _target(workspace: Workspace) -> Iterator[Check]:
    name, told = f"target {workspace.chosen.name}", Remarks()
    try:
        target = workspace.connect()
        settings, chosen = workspace.settings, workspace.chosen
        problems = problems_of(settings, chosen, target, workspace.configuration)
        changed = drift_behind(problems, settings, chosen, target, told, tried=True) if problems else None
    except PlatformError as error:
        yield _failed(name, not_written(error))
        return
    except ShipperError as error:
        yield _failed(name, error)
        return
    if changed is not None:
        yield _failed(name, drift_refusal(changed, told.texts))
        return
    if not problems:
        yield Check(name=name, state="ok", found=f"{workspace.chosen.kind}: can take this release")
    for problem in problems:
        yield Check(name=name, state="failed", found=what_of(problem), hint=problem.hint, code=problem.code)


def _builder(workspace: Workspace) -> Iterator[Check]:
    """Who builds instead of the engine, when that is so. Nothing is started in a cluster."""
    settings = workspace.settings
    if settings.image.builder == "docker":
        return

    def look() -> str:
        from shipper.images.builder_ready import look_at_builder

        try:
            platform = settings.image.platform or workspace.connect().default_platform
        except PlatformError as error:
            raise not_written(error) from error
        return look_at_builder(settings.image, Path(settings.service.root), platform)

    yield _looked("builder", look)


def _engine() -> Check:
    """The engine that builds and tries out, and its BuildKit."""

    def look() -> str:
        from shipper.images.engine import connect

        with connect(os.environ.get("DOCKER_HOST")) as engine:
            return engine.world()

    return _looked("engine", look)


def _scanner() -> Check:
    """The scanner, its database and the canary."""
    from shipper.model.settings import ScanPolicy

    def look() -> str:
        from shipper.scanning.trivy import TrivyScanner

        return TrivyScanner.checkup(ScanPolicy().db_max_age)

    return _looked("scanner", look)


def _looked(name: str, look: Callable[[], str]) -> Check:
    try:
        return Check(name=name, state="ok", found=look())
    except ShipperError as error:
        return _failed(name, error)


def _failed(name: str, error: ShipperError) -> Check:
    said = "; ".join([error.message, *error.details[:5]])
    return Check(name=name, state="failed", found=said, hint=error.hint, code=error.exit_code)
