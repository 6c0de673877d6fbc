"""A release as it would be, with the name that its image will have: by a digest that is none. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from shipper.model import Release, Settings
from shipper.targets import UNBUILT, unbuilt


def unpushed(settings: Settings) -> str:
    """In the configured repository."""
    return f"{settings.image.repository or 'registry.invalid/image'}@{UNBUILT}"


def unbuilt_here(settings: Settings, versions: Mapping[str, str], target: str, platform: str) -> Release:
    """`platform`: that of the nodes, where none is configured."""
    platform = settings.image.platform or platform
    return unbuilt(settings, versions, target, reference=unpushed(settings), platform=platform)
