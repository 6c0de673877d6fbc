"""build: exactly one image of one platform, from the very context that was described."""

from __future__ import annotations

from shipper.images.protocol import BuildRequest, Engine
from shipper.model import Image, ImageSettings, Readiness, ServiceSettings, Source
from shipper.model.context import Cancellation, Reporter, Secrets
from shipper.pipeline.stage import Reuse, stage


@stage(
    version=1,
    reuse=Reuse(world=lambda engine: engine.world(), still_true=lambda image, engine: engine.has(image)),
)
def build(
    source: Source,
    readiness: Readiness,
    service: ServiceSettings,
    image: ImageSettings,
    engine: Engine,
    secrets: Secrets,
    report: Reporter,
    cancel: Cancellation,
) -> Image:
    """The built image. Raises BuildError (11) with the last lines of the build; for a builder elsewhere that refuses us
    or does not answer CredentialsError (32) and UnreachableError (33), before anything is built."""
    request = BuildRequest(
        service=service, image=image, source=source, platform=readiness.platform, secrets=secrets.build()
    )
    return engine.build(request, report, cancel)
