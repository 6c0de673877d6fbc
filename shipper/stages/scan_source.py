"""scan_source: vulnerabilities and secrets in the build context, as BuildKit will see it."""

from __future__ import annotations

from shipper.model import ImageSettings, ScanPolicy, ServiceSettings, Source, SourceScan
from shipper.model.context import Cancellation, Reporter
from shipper.pipeline.stage import Reuse, stage
from shipper.scanning.protocol import Scanner


@stage(version=1, reuse=Reuse(world=lambda scanner: scanner.world()))
def scan_source(
    source: Source,
    service: ServiceSettings,
    image: ImageSettings,
    policy: ScanPolicy,
    scanner: Scanner,
    report: Reporter,
    cancel: Cancellation,
) -> SourceScan:
    """Evidence about the source. Raises ScannerError (13)."""
    if not policy.enabled:
        return SourceScan(subject=source.context_digest, status="skipped", reason="scan.enabled is false")
    report.progress("scanning the build context")
    found = scanner.scan_source(service, image, source, cancel)
    report.evidence(found)
    return found
