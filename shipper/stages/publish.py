"""publish: the approved bytes, and no others, where the target finds them; proved afterwards."""

from __future__ import annotations

from pathlib import Path

from shipper.errors import PlatformError, PublishError
from shipper.images.protocol import Engine
from shipper.images.stream import awaited
from shipper.model import Approval, Deployable, Image, ImageRef, Settings, Smoke, Source
from shipper.model.context import Cancellation, Reporter
from shipper.registries.protocol import Registry
from shipper.rollout.platform_errors import not_written
from shipper.targets import StoresImages, Target


def publish(
    image: Image,
    approval: Approval,
    smoke: Smoke,
    source: Source,
    settings: Settings,
    target: Target,
    registry: Registry,
    engine: Engine,
    report: Reporter,
    cancel: Cancellation,
) -> Deployable:
    """What a rollout may deploy. Raises PublishError (15), CredentialsError (32), UnreachableError (33)."""
    main = published(image, approval, settings, target, registry, engine, report, cancel)
    return Deployable(
        images={"main": main},
        settings=settings,
        commit=source.commit,
        commit_time=source.commit_time,
        dirty=source.dirty,
        started_in=smoke.started_in,
        published=settings.image.repository is not None,
    )


def published(
    image: Image,
    approval: Approval,
    settings: Settings,
    target: Target,
    registry: Registry,
    engine: Engine,
    report: Reporter,
    cancel: Cancellation,
) -> ImageRef:
    """The approved image as the target finds it: in the registry, or on the target's own engine."""
    if approval.config_digest != image.config_digest:
        raise PublishError(
            f"the approval is for {approval.config_digest}, the image is {image.config_digest}",
            hint="only the image that was tested can be published; release again",
        )
    if settings.image.repository is None:
        return _on_the_target(image, target, engine, report, cancel)
    return registry.publish(image, settings.image.repository, tag_of(image), report, cancel)


def tag_of(image: Image) -> str:
    """The tag that is pushed, for people and for clean-up; a release is always deployed by digest."""
    return f"cfg-{image.config_digest.removeprefix('sha256:')[:12]}"


def _on_the_target(image: Image, target: Target, engine: Engine, report: Reporter, cancel: Cancellation) -> ImageRef:
    """No registry: the target's own engine holds the image, proved by its config digest. Moved there if it must be."""
    report.progress("looking for the image on the target's engine")
    if not isinstance(target, StoresImages):
        raise PublishError(
            f"a {target.kind} target pulls from a registry and image.repository is not set",
            hint='set repository = "registry.example.com/team/name" under [image]',
        )
    try:
        reference = target.has(image.config_digest)
        if reference is None:
            _move(image, target, engine.archive(image, report, cancel), report, cancel)
            reference = target.has(image.config_digest)
    except PlatformError as error:
        raise not_written(error) from error
    if reference is None:
        raise PublishError(
            f"the target's engine took the image and has no {image.config_digest}",
            hint="did something remove it at once? release again, or set image.repository",
        )
    return ImageRef(config_digest=image.config_digest, reference=reference, platform=image.platform, size=image.size)


def _move(image: Image, target: StoresImages, archive: Path, report: Reporter, cancel: Cancellation) -> None:
    """To the target's engine, as a stream of the very archive that was scanned. Raises PlatformError, PublishError."""
    size = float(archive.stat().st_size)

    def sent(done: int) -> None:
        cancel.check()
        report.progress("moving the image to the target's engine", float(done), size, "bytes")

    loaded = awaited(lambda: target.load(archive, sent), cancel)
    if loaded != image.config_digest:
        raise PublishError(
            "the target's engine holds another image than the one that was tested",
            hint="release again; if it stays so, set image.repository and go through a registry",
            details=(f"tested {image.config_digest}", f"found  {loaded}"),
        )
