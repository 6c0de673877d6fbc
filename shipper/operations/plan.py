"""plan: what a release would do. No build, no push, no write."""

from __future__ import annotations

import time

from shipper.errors import PlatformError
from shipper.model import (
    ImageRef,
    Observation,
    Release,
    Revision,
    fingerprint_of,
    new_release_id,
)
from shipper.model.shown import Planned
from shipper.operations.where import Where
from shipper.operations.workspace import Workspace, open_workspace
from shipper.rollout.platform_errors import not_written
from shipper.rollout.secret_versions import secret_versions_of
from shipper.rollout.strategies import strategy_of
from shipper.stages.preflight import problems_of, refusal
from shipper.targets import Renders, Target

UNKNOWN_DIGEST = "sha256:" + "0" * 64


def plan(where: Where) -> Planned:
    """Configuration, observation, preflight and the difference.

    The image is not built: the serving digest stands in and the image line says "to be built".
    Raises PreflightRefused, CredentialsError (32), UnreachableError (33).
    """
    workspace = open_workspace(where)
    target = workspace.connect()
    try:
        problems = problems_of(workspace.settings, workspace.chosen, target)
        if problems:
            raise refusal(workspace.chosen.name, problems)
        observation = target.observe()
        found = target.plan(_release(workspace, target, observation), observation)
    except PlatformError as error:
        raise not_written(error) from error
    return Planned(
        service=workspace.service,
        environment=workspace.environment,
        target=workspace.chosen.name,
        plan=found,
        strategy=strategy_of(workspace.settings, target.traits),
        image_known=False,
    )


def _started_in(target: Target, main: Revision | None) -> float | None:
    """Of what serves: the image is not built, so nobody knows how long this one takes."""
    own = [record for record in target.records() if main is not None and record.id == main.release]
    return own[0].started_in if own else None


def _release(workspace: Workspace, target: Target, observation: Observation) -> Release:
    """The release that would be made; an empty image reference means "to be built"."""
    settings = workspace.settings
    main = observation.main
    images = {
        "main": ImageRef(
            config_digest=main.image if main and main.image else UNKNOWN_DIGEST,
            reference="",
            platform=settings.image.platform or target.default_platform,
        )
    }
    versions = secret_versions_of(settings, workspace.secrets, target, make_key=False)
    if versions is None:  # the place makes its key with the first release: until then this machine's own serves
        versions = workspace.secrets.versions()
    content = target.content(settings) if isinstance(target, Renders) else ""
    return Release(
        id=new_release_id(),
        number=max(observation.highest, observation.stamp.highest) + 1,
        fingerprint=fingerprint_of(images, settings, versions, content),
        content=content,
        images=images,
        settings=settings,
        target=workspace.chosen.name,
        secret_versions=versions,
        started_in=_started_in(target, main),
        created=time.time(),
    )
