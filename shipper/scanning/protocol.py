"""What stages ask of the scanner."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol, runtime_checkable

from shipper.model import Image, ImageScan, ImageSettings, Lint, Sbom, ServiceSettings, Source, SourceScan
from shipper.model.context import Cancellation


@runtime_checkable
class Scanner(Protocol):
    """Trivy, isolated from the repository it looks at. Every method raises errors.ScannerError (13), fail closed."""

    def lint(self, service: ServiceSettings, image: ImageSettings, source: Source, cancel: Cancellation) -> Lint:
        """Misconfigurations of the Dockerfile; build arguments that look like secrets are findings of kind
        "argument" and make it `failed`."""

    def scan_source(
        self, service: ServiceSettings, image: ImageSettings, source: Source, cancel: Cancellation
    ) -> SourceScan:
        """Vulnerabilities and secrets in the build context as BuildKit sees it."""

    def scan_image(self, image: Image, archive: Path, cancel: Cancellation) -> ImageScan:
        """Vulnerabilities, secrets and image configuration, bound to the config digest; keeps the JSON report."""

    def sbom(self, image: Image, scan: ImageScan, cancel: Cancellation) -> Sbom:
        """CycloneDX out of the same report."""

    def world(self) -> str:
        """Scanner version and database digest: a new database means a new scan."""
