"""plan: what a release would do. No build, no push, no write."""

from __future__ import annotations

import time
from collections.abc import Sequence

from shipper.errors import Invalid, PlatformError
from shipper.model import (
    ImageRef,
    Observation,
    Plan,
    Release,
    Revision,
    fingerprint_of,
    new_release_id,
)
from shipper.model.context import Reporter
from shipper.model.shown import Planned
from shipper.operations.where import Where
from shipper.operations.workspace import Workspace, open_workspace
from shipper.pipeline.remarks import Remarks
from shipper.rollout.guards import drift_refusal
from shipper.rollout.platform_errors import not_written
from shipper.rollout.secret_versions import secret_versions_of
from shipper.rollout.strategies import strategy_of, unasked_gates
from shipper.stages.preflight import as_it_is_now, drift_behind, looked_at, problems_of, refusal
from shipper.targets import UNBUILT, Renders, Target


def plan(where: Where) -> Planned:
    """Configuration, observation, preflight and the difference.

    The image is not built: the serving digest stands in and the image line says "to be built".
    What a release would lack and a plan needs not (permissions) is a remark, as is whatever else the target has to say.
    Raises PreflightRefused, CredentialsError (32), UnreachableError (33). What somebody changed by hand is shown, with
    what the target has against a release for it; DriftError (31) where that leaves nothing else to show.
    """
    workspace = open_workspace(where)
    told = Remarks()
    target = workspace.connect(told)
    try:
        observation = _taking(workspace, target, told)
        found = _asked(workspace, target, observation, told.texts)
    except PlatformError as error:
        raise not_written(error) from error
    return Planned(
        service=workspace.service,
        environment=workspace.environment,
        target=workspace.chosen.name,
        plan=found,
        strategy=strategy_of(workspace.settings, target.traits),
        image_known=False,
        drift=observation.drift,
        remarks=(*_refused(observation), *(text for text in told.texts if text not in found.remarks)),
    )


def _refused(observation: Observation) -> tuple[str, ...]:
    """What a release would say of what somebody changed by hand."""
    if not observation.drift:
        return ()
    error = drift_refusal(observation)
    return (f"a release is refused ({error.exit_code}): {error.message}", error.hint)


def _taking(workspace: Workspace, target: Target, report: Reporter) -> Observation:
    """What is there, where the target can take the release, or could if nobody had changed it by hand."""
    settings, chosen = workspace.settings, workspace.chosen
    problems = problems_of(settings, chosen, target, workspace.configuration, command="plan")
    if not problems:
        for text in unasked_gates(settings, target.traits):
            report.remark(text)
        return looked_at(chosen, target, report)
    observation = drift_behind(problems, settings, chosen, target, report, tried=True)
    if observation is None:
        raise refusal(chosen.name, problems)
    return observation


def _asked(workspace: Workspace, target: Target, observation: Observation, told: Sequence[str]) -> Plan:
    """What the target says. Without an answer there is nothing to show but the drift that may be why, and what was told
    beside it.
    """
    release = _release(workspace, target, observation)
    try:
        return target.plan(release, observation)
    except Invalid as error:
        if not observation.drift:
            raise
        raise drift_refusal(observation, [*told, as_it_is_now(workspace.chosen.name, str(error))]) from error


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
            config_digest=main.image if main and main.image else UNBUILT,
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
