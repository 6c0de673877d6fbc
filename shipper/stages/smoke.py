"""smoke: the candidate is run as production would run it, and asked."""

from __future__ import annotations

from shipper.model import HealthSettings, Image, RunSettings, ServiceSettings, Smoke, SmokeSettings
from shipper.model.context import Cancellation, Reporter, Secrets
from shipper.pipeline.stage import Reuse, stage
from shipper.smoke.protocol import Candidates


@stage(
    version=1,
    reuse=Reuse(
        world=lambda candidates, secrets: (
            f"{candidates.world()} {sorted({**secrets.versions(), **secrets.trial_versions()}.items())}"
        ),
        still_true=lambda smoke: smoke.status == "passed",
    ),
)
def smoke(
    image: Image,
    service: ServiceSettings,
    run: RunSettings,
    health: HealthSettings,
    requests: SmokeSettings,
    candidates: Candidates,
    secrets: Secrets,
    report: Reporter,
    cancel: Cancellation,
) -> Smoke:
    """Evidence about the image, good or bad. Raises SmokeError (14) only when the test itself could not run."""
    if not requests.enabled:
        return Smoke(subject=image.config_digest, status="skipped", reason="smoke.enabled is false")
    found = candidates.try_out(image, service, run, health, requests, secrets, report, cancel)
    report.evidence(found)
    return found
