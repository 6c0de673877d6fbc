"""A release as it would be, with an image that nobody has built yet: for everything that is asked before. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from shipper.model import ImageRef, Release, Settings

UNBUILT = "sha256:" + "0" * 64
"""The digest of what is not there yet."""


def unbuilt(settings: Settings, versions: Mapping[str, str], target: str, *, reference: str, platform: str) -> Release:
    """With number 0, which no release of ours has. `reference` names an image in the place of its own."""
    return Release(
        id="0" * 26,
        number=0,
        fingerprint=UNBUILT,
        images={"main": ImageRef(config_digest=UNBUILT, reference=reference, platform=platform)},
        settings=settings,
        target=target,
        secret_versions=dict(versions),
        created=0.0,
    )


def as_planned(release: Release, reference: str) -> Release:
    """The same with an image that has a name, where none is built yet."""
    if release.main.reference and release.main.manifest_digest is not None:
        return release
    named = release.main.model_copy(update={"reference": reference})
    return release.model_copy(update={"images": {**release.images, "main": named}})
