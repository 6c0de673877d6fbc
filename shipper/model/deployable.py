"""What a rollout may deploy."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from shipper.model.image import ImageRef
from shipper.model.noun import Product
from shipper.model.settings import Settings


class Deployable(Product):
    """Images with the configuration they run with. Made by publish, select (rollback) and admit, and by nobody else."""

    images: dict[str, ImageRef] = Field(description='Role to image; the service itself is "main".')
    settings: Settings
    commit: str | None = None
    commit_time: int | None = Field(default=None, description="Unix seconds: for the out-of-order guard.")
    dirty: bool = False
    published: bool = Field(description="False when the image went to the target's engine without a registry.")
    origin: Literal["build", "image", "rollback"] = "build"
    fingerprint: str | None = Field(
        default=None, description="Of the release that comes back as it was; None: that of what is here."
    )
    secret_versions: dict[str, str] | None = Field(
        default=None, description="Versions to bring back; None: those of this run's own values."
    )
    content: str | None = Field(
        default=None, description="Digest of what the target itself had added then; None: of what it adds now."
    )
    rollback_to: int | None = Field(default=None, description="The number that is brought back.")
    revision: str | None = Field(default=None, description="The revision that still lives and needs only traffic.")
    quarantine: tuple[str, ...] = Field(default=(), description="Short fingerprints that are bad here, once it serves.")
    lift: tuple[str, ...] = Field(default=(), description="Short fingerprints that somebody asked for by name.")
    started_in: float | None = Field(
        default=None, description="Seconds from start to ready, as the smoke test measured them."
    )
    reason: str = ""
