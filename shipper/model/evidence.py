"""Evidence: what was found about a source or an image. A bad finding is evidence, not an exception."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from shipper.model.image import Digest
from shipper.model.noun import Noun, Product
from shipper.model.settings import Severity

Status = Literal["passed", "failed", "skipped"]


class Finding(Noun):
    """One thing that somebody may have to act on."""

    id: str = Field(description='Such as "CVE-2025-1234", "DS-0002", "not-ready".')
    title: str
    severity: Severity | Literal["unknown"] = "unknown"
    where: str = Field(default="", description="Package and version, file and line, request name.")
    fix: str = Field(default="", description="The version that fixes it, or what to do.")
    kind: Literal["vulnerability", "secret", "misconfiguration", "smoke", "size", "sbom", "argument"]


class Evidence(Product):
    """A record about one subject. Subclasses keep two reports apart by type.

    `status` is the stage's own word: `failed` means that the subject did not do what it must; findings that
    only a policy can judge leave it `passed`, and the gate decides.
    """

    subject: Digest = Field(description="A config digest, or the source digest that the build recorded.")
    status: Status
    reason: str = Field(default="", description="One line: why failed or skipped, or the summary when passed.")
    findings: tuple[Finding, ...] = ()
    remarks: tuple[str, ...] = Field(default=(), description="What a reader should know although nothing is wrong.")


class Lint(Evidence):
    """`trivy config` over the Dockerfile, and what looks like a secret in build arguments."""


class SourceScan(Evidence):
    """`trivy fs` over the build context as BuildKit sees it."""

    database: str = ""


class ImageScan(Evidence):
    """`trivy image` over the very bytes that were built."""

    database: str = Field(default="", description="Digest and date of the vulnerability database, for people.")
    fixture_database: bool = Field(default=False, description="A generated database: no clean bill of health.")
    report: str = Field(default="", description="Path of the scanner's JSON on this machine.")


class Sbom(Evidence):
    """CycloneDX, converted from the scan's own result."""

    components: int = 0
    path: str = ""


class Probe(Noun):
    """One question and its answer, as smoke and verify record them."""

    name: str
    ok: bool
    status: int | None = None
    seconds: float
    problem: str = ""


class Smoke(Evidence):
    """The candidate, run as production would run it."""

    started_in: float | None = Field(default=None, description="Seconds from start to ready, measured.")
    stopped_in: float | None = Field(default=None, description="Seconds from SIGTERM to the end.")
    peak_memory: int | None = Field(default=None, description="Bytes, as the engine measured them.")
    probes: tuple[Probe, ...] = ()
    log_tail: tuple[str, ...] = Field(default=(), description="The container's last lines, redacted.")
    log_path: str = ""


class Size(Evidence):
    """The image's size against its budget."""

    size: int = 0
    limit: int | None = None


class Approval(Product):
    """What the gate alone makes out of evidence and policy. Publishing takes nothing else."""

    config_digest: Digest
    policy: Digest = Field(description="Hash of the policy that was applied.")
    evidence: dict[str, Digest] = Field(description="Evidence type to the evidence's digest.")
    remarks: tuple[str, ...] = Field(default=(), description="What a reader should know although it passed.")


def as_summary(evidence: Evidence) -> dict[str, Any]:
    """The part of a piece of evidence that events and results show."""
    return {
        "type": type(evidence).__name__,
        "status": evidence.status,
        "reason": evidence.reason,
        "findings": [finding.model_dump(mode="json") for finding in evidence.findings[:50]],
    }
