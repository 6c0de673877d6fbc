"""A release as it would be, with an image that nobody has built yet: for everything that is asked before. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from shipper.model import Release, Settings
from shipper.model.image import ImageRef

_UNBUILT = "sha256:" + "0" * 64


def unbuilt(settings: Settings, versions: Mapping[str, str], target: str, platform: str) -> Release:
    """With number 0, which no release of ours has."""
    repository = settings.image.repository or "registry.invalid/image"
    image = ImageRef(
        config_digest=_UNBUILT,
        manifest_digest=_UNBUILT,
        reference=f"{repository}@{_UNBUILT}",
        platform=settings.image.platform or platform,
    )
    return Release(
        id="0" * 26,
        number=0,
        fingerprint=_UNBUILT,
        images={"main": image},
        settings=settings,
        target=target,
        secret_versions=dict(versions),
        created=0.0,
    )


def as_planned(release: Release, target: str) -> Release:
    """The same with an image that has a name, where none is built yet."""
    if release.main.reference and release.main.manifest_digest is not None:
        return release
    image = unbuilt(release.settings, {}, target, release.main.platform).main
    named = release.main.model_copy(update={"reference": image.reference})
    return release.model_copy(update={"images": {**release.images, "main": named}})
