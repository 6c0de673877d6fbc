"""sbom: the bill of materials, out of the scan's own result."""

from __future__ import annotations

from pathlib import Path

from shipper.model import Image, ImageScan, Sbom
from shipper.model.context import Cancellation, Reporter
from shipper.pipeline.stage import Reuse, stage
from shipper.scanning.protocol import Scanner


@stage(
    version=1,
    reuse=Reuse(world=lambda scanner: scanner.world(), still_true=lambda sbom: Path(sbom.path).is_file()),
)
def sbom(image: Image, scan: ImageScan, scanner: Scanner, report: Reporter, cancel: Cancellation) -> Sbom:
    """Evidence about the image: what it is made of. Raises ScannerError (13)."""
    if scan.status == "skipped":
        return Sbom(subject=image.config_digest, status="skipped", reason=scan.reason)
    report.progress("writing the bill of materials")
    found = scanner.sbom(image, scan, cancel)
    report.evidence(found)
    return found
