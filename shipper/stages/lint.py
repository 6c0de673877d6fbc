"""lint: the Dockerfile's misconfigurations, and build arguments that look like secrets."""

from __future__ import annotations

from shipper.model import ImageSettings, Lint, ScanPolicy, ServiceSettings, Source
from shipper.model.context import Cancellation, Reporter
from shipper.pipeline.stage import Reuse, stage
from shipper.scanning.protocol import Scanner


@stage(version=1, reuse=Reuse(world=lambda scanner: scanner.world()))
def lint(
    source: Source,
    service: ServiceSettings,
    image: ImageSettings,
    policy: ScanPolicy,
    scanner: Scanner,
    report: Reporter,
    cancel: Cancellation,
) -> Lint:
    """Evidence about the source. Raises ScannerError (13)."""
    if not policy.enabled:
        return Lint(subject=source.context_digest, status="skipped", reason="scan.enabled is false")
    report.progress("checking the Dockerfile")
    found = scanner.lint(service, image, source, cancel)
    report.evidence(found)
    return found
