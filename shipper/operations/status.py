"""status: what serves now, as the platform says, and what else is there."""

from __future__ import annotations

from shipper.errors import PlatformError
from shipper.model.shown import Status
from shipper.operations.where import Where
from shipper.operations.workspace import open_workspace
from shipper.pipeline.cancellation import RunCancellation
from shipper.rollout.all_at_once import not_written
from shipper.rollout.verify import verify


def status(where: Where) -> Status:
    """Observe and verify; never writes. Raises CredentialsError (32), UnreachableError (33)."""
    workspace = open_workspace(where)
    settings = workspace.settings
    target = workspace.connect()
    try:
        observation = target.observe()
    except PlatformError as error:
        raise not_written(error) from error
    main = observation.main
    verdict = None
    if main is not None:
        verdict = verify(target, main.name, settings.health, settings.smoke, RunCancellation())
    return Status(
        service=settings.service.service,
        environment=settings.service.environment,
        target=workspace.chosen.name,
        observation=observation,
        verdict=verdict,
    )
