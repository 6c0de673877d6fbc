"""scan: vulnerabilities, secrets and configuration of the very bytes that were built."""

from __future__ import annotations

from pathlib import Path

from shipper.images.protocol import Engine
from shipper.model import Image, ImageScan, ScanPolicy
from shipper.model.context import Cancellation, Reporter
from shipper.pipeline.stage import Reuse, stage
from shipper.scanning.protocol import Scanner


@stage(
    version=1,
    reuse=Reuse(world=lambda scanner: scanner.world(), still_true=lambda scan: Path(scan.report or ".").exists()),
)
def scan(
    image: Image, policy: ScanPolicy, engine: Engine, scanner: Scanner, report: Reporter, cancel: Cancellation
) -> ImageScan:
    """Evidence about the image. Raises ScannerError (13): a broken scanner is never a pass."""
    if not policy.enabled:
        return ImageScan(subject=image.config_digest, status="skipped", reason="scan.enabled is false")
    report.progress("saving the image for the scanner")
    archive = engine.archive(image, report, cancel)
    report.progress("scanning the image")
    found = scanner.scan_image(image, archive, cancel)
    report.evidence(found)
    return found
