"""What stages ask of a registry."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from shipper.model import Image, ImageRef
from shipper.model.context import Cancellation, Reporter


@runtime_checkable
class Registry(Protocol):
    """An OCI registry, by repository name."""

    def publish(self, image: Image, repository: str, tag: str, report: Reporter, cancel: Cancellation) -> ImageRef:
        """Push, then prove. Raises errors.PublishError, CredentialsError, UnreachableError."""

    def prove(self, image: Image, repository: str, reference: str) -> ImageRef:
        """What the registry holds under `reference` (tag or digest) is exactly one manifest for the platform, its
        config digest is the tested one, and it has as many layers as diff_ids. Raises errors.PublishError."""
