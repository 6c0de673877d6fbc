"""gate: the only place that makes an Approval; names every reason at once when it refuses."""

from __future__ import annotations

from shipper.errors import BugError, GateRefused
from shipper.model import Approval, Evidence, Image, ScanPolicy, ServiceSettings, Smoke
from shipper.model.all import All
from shipper.model.context import Reporter


def gate(
    image: Image, evidence: All[Evidence], policy: ScanPolicy, service: ServiceSettings, report: Reporter
) -> Approval:
    """Approval of exactly these bytes. Raises GateRefused with every refusal; the lowest code is the exit code."""
    from shipper.scanning.policy import judge, policy_hash

    _check_link(image, evidence)
    refusals, remarks = judge(tuple(evidence), policy, service.environment)
    for remark in remarks:
        report.remark(remark)
    if refusals:
        reasons = [(refusal.code, refusal.reason) for refusal in refusals]
        count = "1 reason" if len(reasons) == 1 else f"{len(reasons)} reasons"
        raise GateRefused(
            f"the gate refused this image, for {count}",
            reasons,
            hint=_next_step(evidence) or "nothing was published; mend the reasons above and try again",
            details=[f"{reason} (exit {code})" for code, reason in reasons] + _last_words(evidence),
        )
    return Approval(
        config_digest=image.config_digest,
        policy=policy_hash(policy),
        evidence={type(found).__name__: found.digest() for found in evidence},
        remarks=remarks,
    )


def _check_link(image: Image, evidence: All[Evidence]) -> None:
    """Evidence is about this image, or about the source that this image was built from."""
    for found in evidence:
        if found.subject not in (image.config_digest, image.source_digest):
            raise BugError(
                f"{type(found).__name__} is about {found.subject}, not about this image or its source",
                hint="please report this",
            )


def _next_step(evidence: All[Evidence]) -> str:
    """What the smoke test's diagnosis says to do: it is more exact than anything general."""
    failed = [found for found in evidence if isinstance(found, Smoke) and found.status == "failed"]
    return next((finding.fix for found in failed for finding in found.findings if finding.fix), "")


def _last_words(evidence: All[Evidence]) -> list[str]:
    """The container's last lines, when the smoke test failed."""
    lines = [
        line for found in evidence if isinstance(found, Smoke) and found.status == "failed" for line in found.log_tail
    ]
    return ["last lines of the container:", *(f"  {line}" for line in lines)] if lines else []
