"""What the gate makes out of evidence: pure, every reason at once, the same for any order of the evidence."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from shipper.model import (
    Evidence,
    Finding,
    ImageScan,
    Lint,
    Sbom,
    ScanPolicy,
    Size,
    Smoke,
    SourceScan,
    digest_of,
)

RULES = 1
"""Number of the rules in this file; raised when one changes, so that approvals of old rules show as such."""

LENIENT = frozenset({"dev"})
"""Environments in which evidence may be skipped, with a remark. Everywhere else it refuses."""

RANKS = {"unknown": 0, "low": 1, "medium": 2, "high": 3, "critical": 4}
SHOWN = 5
"""How many findings of one kind are named one by one."""

_COMMAND = 17
_CODES: tuple[tuple[type[Evidence], int, str], ...] = (
    (Lint, 10, "Dockerfile"),
    (SourceScan, 12, "source"),
    (ImageScan, 12, "image"),
    (Smoke, 14, "smoke test"),
    (Size, 16, "image size"),
    (Sbom, 17, "bill of materials"),
)
_PLURALS = {
    "vulnerability": "vulnerabilities",
    "secret": "secrets",
    "misconfiguration": "misconfigurations",
}


@dataclass(frozen=True, order=True)
class Refusal:
    """One reason to refuse, in one line, with the exit code that it stands for."""

    code: int
    reason: str


def judge(
    evidence: Sequence[Evidence], policy: ScanPolicy, environment: str
) -> tuple[tuple[Refusal, ...], tuple[str, ...]]:
    """(refusals, remarks): refusals sorted by code; without one, the image may be published.

    Secrets always refuse (12). Vulnerabilities refuse by `policy.fail_on` and `policy.fixable_only` (12),
    misconfigurations by `policy.fail_on_config` (10 in the Dockerfile, 12 in the image). Failed evidence refuses with
    its own code, and so does skipped evidence outside of `LENIENT` environments.
    """
    refusals: set[Refusal] = set()
    remarks: set[str] = set()
    for found in evidence:
        refusals.update(_of_status(found, environment))
        refusals.update(_of_findings(found, policy))
        remarks.update(_remarks(found, policy, environment))
    return tuple(sorted(refusals)), tuple(sorted(remarks))


def policy_hash(policy: ScanPolicy) -> str:
    """`sha256:<hex>` over the policy and the number of the rules that apply it."""
    return digest_of({"rules": RULES, "policy": policy.model_dump(mode="json")})


def refuses(finding: Finding, policy: ScanPolicy) -> bool:
    """Whether this finding alone refuses."""
    if finding.kind == "secret":
        return True
    if finding.kind == "vulnerability":
        return _at_least(finding, policy.fail_on) and (bool(finding.fix) or not policy.fixable_only)
    if finding.kind == "misconfiguration":
        return policy.fail_on_config is not None and _at_least(finding, policy.fail_on_config)
    return False  # the other kinds come with the status `failed`, which refuses by itself


def _at_least(finding: Finding, severity: str) -> bool:
    return RANKS[finding.severity] >= RANKS[severity]


def _known(found: Evidence) -> tuple[int, str]:
    """The exit code and what it is about, for people."""
    for kind, code, subject in _CODES:
        if isinstance(found, kind):
            return code, subject
    return _COMMAND, type(found).__name__


def _of_status(found: Evidence, environment: str) -> Iterator[Refusal]:
    code, subject = _known(found)
    reason = _one_line(found.reason)
    if found.status == "failed":
        yield Refusal(code, f"{subject}: {reason or _names(found) or 'failed'}")
    if found.status == "skipped" and environment not in LENIENT:
        yield Refusal(code, f"{subject}: not checked ({reason or 'skipped'}), which {environment} does not allow")


def _names(found: Evidence) -> str:
    shown = [f"{finding.id} {finding.where}".strip() for finding in _sorted(iter(found.findings))[:SHOWN]]
    return _one_line(", ".join(shown))


def _of_findings(found: Evidence, policy: ScanPolicy) -> Iterator[Refusal]:
    code, subject = _known(found)
    for kind, line in _LINES.items():
        bad = _sorted(finding for finding in found.findings if finding.kind == kind and refuses(finding, policy))
        own = 12 if kind in ("secret", "vulnerability") else code
        for finding in bad[:SHOWN]:
            yield Refusal(own, _one_line(f"{subject}: {line(finding)}"))
        if len(bad) > SHOWN:
            yield Refusal(own, f"{subject}: and {len(bad) - SHOWN} more {_PLURALS[kind]}")


def _vulnerability(finding: Finding) -> str:
    fixed = f"fixed in {finding.fix}" if finding.fix else "no fix yet"
    return f"{finding.where} has {finding.id} ({finding.severity}), {fixed}"


def _secret(finding: Finding) -> str:
    return f"a secret in {finding.where}: {finding.title} ({finding.id})"


def _misconfiguration(finding: Finding) -> str:
    return f"{finding.where}: {finding.title} ({finding.id}, {finding.severity})"


_LINES: dict[str, Callable[[Finding], str]] = {
    "secret": _secret,
    "vulnerability": _vulnerability,
    "misconfiguration": _misconfiguration,
}


def _remarks(found: Evidence, policy: ScanPolicy, environment: str) -> Iterator[str]:
    _, subject = _known(found)
    yield from (_one_line(remark) for remark in found.remarks)
    if found.status == "skipped" and environment in LENIENT:
        yield f"{subject}: not checked ({_one_line(found.reason) or 'skipped'})"
    if isinstance(found, ImageScan) and found.fixture_database:
        yield FIXTURE
    yield from _tolerated(found, subject, policy)


FIXTURE = "scanned with a generated fixture database of invented packages: this is no clean bill of health"


def _tolerated(found: Evidence, subject: str, policy: ScanPolicy) -> Iterator[str]:
    """What was found and does not refuse, counted by severity."""
    for kind in ("vulnerability", "misconfiguration"):
        mild = [finding for finding in found.findings if finding.kind == kind and not refuses(finding, policy)]
        if mild:
            counts = [(name, sum(finding.severity == name for finding in mild)) for name in reversed(RANKS)]
            told = ", ".join(f"{count} {name}" for name, count in counts if count)
            noun = kind if len(mild) == 1 else _PLURALS[kind]
            yield (
                f"{subject}: {noun} that do not refuse: {told}"
                if len(mild) > 1
                else (f"{subject}: 1 {noun} that does not refuse: {told}")
            )


def _sorted(findings: Iterator[Finding]) -> list[Finding]:
    """Worst first; the rest of the key makes the order independent of the scanner's."""
    unique = set(findings)
    return sorted(unique, key=lambda finding: (-RANKS[finding.severity], finding.where, finding.id, finding.fix))


def _one_line(text: str) -> str:
    return " ".join(text.split())
