"""publish_admitted: an approved image that was not built in this run, where the target finds it."""

from __future__ import annotations

from shipper.images.protocol import Engine
from shipper.model import Approval, Deployable, Image, Settings, Smoke
from shipper.model.context import Cancellation, Reporter
from shipper.registries.protocol import Registry
from shipper.stages.publish import published
from shipper.targets import Target


def publish_admitted(
    image: Image,
    approval: Approval,
    smoke: Smoke,
    settings: Settings,
    target: Target,
    registry: Registry,
    engine: Engine,
    report: Reporter,
    cancel: Cancellation,
) -> Deployable:
    """What a rollout may deploy, of no known commit. Raises PublishError, CredentialsError, UnreachableError."""
    main = published(image, approval, settings, target, registry, engine, report, cancel)
    return Deployable(
        images={"main": main},
        settings=settings,
        published=settings.image.repository is not None,
        started_in=smoke.started_in,
        origin="image",
    )
