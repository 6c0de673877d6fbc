"""Platform names: "linux/amd64", "linux/arm/v7"."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def platform_of(found: Mapping[str, Any]) -> str:
    """The platform of an inspected image."""
    parts = [found.get("Os") or "", found.get("Architecture") or "", found.get("Variant") or ""]
    return normal_platform("/".join(part for part in parts if part))


def normal_platform(platform: str) -> str:
    """Without the variant that is the architecture's only one: "linux/arm64/v8" is "linux/arm64"."""
    return "linux/arm64" if platform == "linux/arm64/v8" else platform


def same_platform(one: str, other: str) -> bool:
    """Whether two names mean the same platform."""
    return normal_platform(one) == normal_platform(other)
