"""Release, revision and stamp: what was decided, what the platform made of it, and the mark on the platform."""

from __future__ import annotations

import os
import time
from typing import Any, Literal

from pydantic import Field

from shipper.model.image import ImageRef
from shipper.model.noun import Noun, Product, digest_of
from shipper.model.settings import ScaleSettings, Settings, TargetSettings

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


class Release(Product):
    """The immutable record "this image with this resolved configuration for this service, environment, target"."""

    id: str = Field(description="ULID: sortable by time, the idempotency key on every platform.")
    number: int = Field(ge=0, description="For people: 1 + the highest known; 0 is what was adopted.")
    fingerprint: str = Field(description="What makes two releases the same: see `fingerprint_of`.")
    images: dict[str, ImageRef]
    settings: Settings
    target: str = Field(description="The target's name.")
    place: TargetSettings | None = Field(default=None, description="The target: kind and the kind's own settings.")
    ledger: str = Field(default="", description="URL of the ledger that knows of this release.")
    rollback_to: int | None = Field(default=None, description="The number of the release that this one brings back.")
    strategy: str = Field(default="", description="The rollout that it was brought into service with.")
    secret_versions: dict[str, str] = Field(default_factory=dict)
    content: str = Field(default="", description="Digest of what the target itself adds, such as manifests.")
    commit: str | None = None
    commit_time: int | None = Field(default=None, description="Unix seconds: for the out-of-order guard.")
    dirty: bool = False
    started_in: float | None = Field(
        default=None, description="Seconds from start to ready, as the smoke test measured them."
    )
    created: float = Field(description="Unix seconds.")

    @property
    def service(self) -> str:
        """The service's name."""
        return self.settings.service.service

    @property
    def main(self) -> ImageRef:
        """The service's own image."""
        return self.images["main"]

    def brings_back(self, then: Release) -> bool:
        """Whether this is a rollback to the content of that release: its images, its configuration, and what the target
        itself had added. Secret values may be those of now, and instances as many as serve now.
        """
        return self.rollback_to is not None and self._content == then._content

    def same_but_for_secrets(self, other: Release) -> bool:
        """Whether nothing but secret values can differ. A rollback may have as many instances as served before it."""
        scaled = self.rollback_to is not None or other.rollback_to is not None
        return self._content == other._content and (scaled or self.settings.scale == other.settings.scale)

    @property
    def _content(self) -> str:
        settings = self.settings.model_copy(update={"scale": ScaleSettings()})
        return fingerprint_of(self.images, settings, {}, self.content)


class Revision(Noun):
    """The platform's own copy of a release."""

    name: str = Field(description="The platform's name for it.")
    release: str | None = Field(description="The release id it carries; None when it is not ours.")
    number: int | None = None
    fingerprint: str | None = None
    state: Literal["running", "stopped", "starting", "failed"] = "running"
    image: str = Field(default="", description="Config digest, when known.")
    created: float | None = None
    weight: int = Field(default=0, ge=0, le=100, description="Percent of the traffic, as routed now.")


class Stamp(Noun):
    """Under 200 characters on the platform itself. Never what serves: `observe` says that."""

    epoch: int = Field(default=0, description="The fence: a write with a lower one is refused.")
    highest: int = Field(default=0, description="The highest number that was ever used here.")
    verified: tuple[int, ...] = Field(default=(), description="Numbers verified here, newest last; the last few.")
    quarantined: tuple[str, ...] = Field(default=(), description="Short fingerprints, newest last; the last few.")


def short(fingerprint: str) -> str:
    """The part of a fingerprint that a stamp and people use: 12 hex digits."""
    return fingerprint.removeprefix("sha256:")[:12]


def known_as(config_digest: str, reference: str) -> str:
    """12 hex digits that people find an image by: of the digest in its reference, which a registry and kubectl show;
    of its configuration where it has never been published.
    """
    _, _, digest = reference.partition("@")
    return short(digest or config_digest)


def new_release_id(now: float | None = None) -> str:
    """A ULID (26 characters of Crockford's base 32): 48 bits of milliseconds, 80 random bits.

    Source: the ULID specification (ulid/spec).
    """
    milliseconds = int((time.time() if now is None else now) * 1000)
    number = (milliseconds << 80) | int.from_bytes(os.urandom(10), "big")
    return "".join(_CROCKFORD[(number >> shift) & 31] for shift in range(125, -1, -5))


def fingerprint_of(
    images: dict[str, ImageRef], settings: Settings, secret_versions: dict[str, str], content: str = ""
) -> str:
    """`sha256:<hex>` over the images' config digests, the resolved runtime configuration, secret versions and `content`
    (a digest of what the target itself adds, such as manifests of the project's own).

    What shipper injects (release id, number, labels) is not part of it, so that releasing the same twice is seen.
    """
    whole: dict[str, Any] = {
        "images": {role: image.config_digest for role, image in images.items()},
        "runtime": settings.runtime(),
        "secrets": secret_versions,
    }
    return digest_of({**whole, "content": content} if content else whole)
