"""What was ordered on the command line: by whom, and what they allow. Seeded into every pipeline that writes."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from shipper.model.ledger import Holder
from shipper.model.noun import Product


class Order(Product):
    """Who runs this, and the options that no configuration holds."""

    by: Holder
    wait: float = Field(default=0.0, description="Seconds to wait for another run's lease.")
    allow_older: bool = Field(default=False, description="Release a commit that is older than what serves.")
    reason: str = ""


class Wanted(Product):
    """What `shipper rollback` was asked for."""

    to: str | None = Field(
        default=None, description='"#41", "41", the start of a digest or fingerprint, "2 hours ago"; None: choose.'
    )
    secrets: Literal["pinned", "current"] | None = None
    quarantine_image: bool = Field(default=False, description="The bad image's digest is quarantined as well.")
    reason: str = ""


class Admission(Product):
    """What `shipper release --image` was asked for: an image that exists already."""

    reference: str = Field(
        description='"repo:tag", "repo@sha256:…", or the name or config digest of an image on the engine.'
    )
