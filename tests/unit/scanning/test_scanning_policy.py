"""The gate's rules: every reason at once, and nothing that is added ever turns a refusal into a pass."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.model import Evidence, Finding, ImageScan, Lint, Sbom, ScanPolicy, Size, Smoke, SourceScan
from shipper.scanning.policy import judge, policy_hash

pytestmark = pytest.mark.unit

SUBJECT = "sha256:" + "a" * 64


def vulnerability(severity: str = "critical", fix: str = "2.0", number: int = 1) -> Finding:
    return Finding(
        id=f"CVE-2099-{number:04}", title="a flaw", severity=severity, where=f"lib{number} 1.0", fix=fix,
        kind="vulnerability",
    )  # fmt: skip


def secret(severity: str = "low") -> Finding:
    return Finding(id="github-pat", title="a token", severity=severity, where="a.ini:1", kind="secret")


def misconfiguration(severity: str = "high") -> Finding:
    return Finding(id="DS-0002", title="root", severity=severity, where="Dockerfile", kind="misconfiguration")


def image(*findings: Finding, **more: object) -> ImageScan:
    return ImageScan(subject=SUBJECT, status="passed", findings=findings, **more)


def codes(*evidence: Evidence, policy: ScanPolicy | None = None, environment: str = "production") -> list[int]:
    return [refusal.code for refusal in judge(evidence, policy or ScanPolicy(), environment)[0]]


def test_a_fixable_critical_vulnerability_refuses_and_says_what_to_do() -> None:
    [refusal], _ = judge((image(vulnerability()),), ScanPolicy(), "production")
    assert refusal.code == 12
    assert refusal.reason == "image: lib1 1.0 has CVE-2099-0001 (critical), fixed in 2.0"


def test_one_without_a_fix_is_told_and_refuses_only_when_asked_to() -> None:
    refusals, remarks = judge((image(vulnerability(fix="")),), ScanPolicy(), "production")
    assert not refusals
    assert any("1 critical" in remark for remark in remarks)
    assert codes(image(vulnerability(fix="")), policy=ScanPolicy(fixable_only=False)) == [12]


@pytest.mark.parametrize(("fail_on", "expected"), [("critical", []), ("high", [12]), ("low", [12])])
def test_the_severity_is_the_policy_s(fail_on: str, expected: list[int]) -> None:
    assert codes(image(vulnerability("high")), policy=ScanPolicy(fail_on=fail_on)) == expected


def test_an_unknown_severity_does_not_refuse() -> None:
    assert codes(image(vulnerability("unknown")), policy=ScanPolicy(fail_on="low")) == []


@pytest.mark.parametrize("kind", [SourceScan, ImageScan])
def test_a_secret_always_refuses(kind: type[Evidence]) -> None:
    found = kind(subject=SUBJECT, status="passed", findings=(secret("unknown"),))
    assert codes(found, environment="dev") == [12]


def test_misconfigurations_are_reported_until_the_policy_says_otherwise() -> None:
    lint = Lint(subject=SUBJECT, status="passed", findings=(misconfiguration(),))
    assert codes(lint, image(misconfiguration())) == []
    assert codes(lint, image(misconfiguration()), policy=ScanPolicy(fail_on_config="high")) == [10, 12]


def test_every_failure_is_named_at_once_lowest_code_first() -> None:
    failed = [kind(subject=SUBJECT, status="failed", reason="no") for kind in (Sbom, Size, Smoke, Lint, Evidence)]
    assert codes(*failed, image(vulnerability())) == [10, 12, 14, 16, 17, 17]


@pytest.mark.parametrize(("kind", "code"), [(Lint, 10), (SourceScan, 12), (ImageScan, 12), (Smoke, 14), (Sbom, 17)])
def test_what_was_skipped_is_a_remark_in_dev_and_a_refusal_elsewhere(kind: type[Evidence], code: int) -> None:
    skipped = kind(subject=SUBJECT, status="skipped", reason="scan.enabled is false")
    assert codes(skipped, environment="production") == [code]
    assert codes(skipped, environment="staging") == [code]
    refusals, remarks = judge((skipped,), ScanPolicy(), "dev")
    assert not refusals
    assert any("scan.enabled is false" in remark for remark in remarks)


def test_many_findings_are_five_lines_and_a_count() -> None:
    refusals, _ = judge((image(*(vulnerability(number=n) for n in range(28))),), ScanPolicy(), "production")
    assert len(refusals) == 6
    assert any("and 23 more vulnerabilities" in refusal.reason for refusal in refusals)


def test_a_generated_database_is_no_clean_bill_of_health() -> None:
    refusals, remarks = judge((image(fixture_database=True),), ScanPolicy(), "production")
    assert not refusals
    assert any("fixture" in remark for remark in remarks)


def test_the_hash_changes_with_the_policy() -> None:
    assert policy_hash(ScanPolicy()) == policy_hash(ScanPolicy())
    assert policy_hash(ScanPolicy()) != policy_hash(ScanPolicy(fail_on="high"))
    assert policy_hash(ScanPolicy()).startswith("sha256:")
    assert len(policy_hash(ScanPolicy())) == 71


severities = st.sampled_from(["unknown", "low", "medium", "high", "critical"])
kinds = st.sampled_from(["vulnerability", "secret", "misconfiguration", "argument"])
findings = st.builds(
    Finding,
    id=st.sampled_from(["a", "b", "c"]),
    title=st.just("t"),
    severity=severities,
    where=st.sampled_from(["x 1", "y 2", "z 3"]),
    fix=st.sampled_from(["", "2"]),
    kind=kinds,
)
pieces = st.builds(
    lambda kind, status, found: kind(subject=SUBJECT, status=status, findings=tuple(found)),
    st.sampled_from([Lint, SourceScan, ImageScan, Smoke, Size, Sbom]),
    st.sampled_from(["passed", "failed", "skipped"]),
    st.lists(findings, max_size=12),
)
policies = st.builds(
    ScanPolicy,
    fail_on=st.sampled_from(["low", "medium", "high", "critical"]),
    fixable_only=st.booleans(),
    fail_on_config=st.sampled_from([None, "low", "critical"]),
)
environments = st.sampled_from(["dev", "production"])


@given(st.lists(pieces, max_size=4), findings, policies, environments)
def test_one_more_finding_never_turns_a_refusal_into_a_pass(
    evidence: list[Evidence], finding: Finding, policy: ScanPolicy, environment: str
) -> None:
    before = judge(evidence, policy, environment)[0]
    worse = [one.model_copy(update={"findings": (*one.findings, finding)}) for one in evidence]
    after = judge(worse, policy, environment)[0]
    assert {refusal.code for refusal in before} <= {refusal.code for refusal in after}


@given(st.lists(pieces, max_size=4), policies, environments, st.randoms(use_true_random=False))
def test_the_order_does_not_matter(
    evidence: list[Evidence], policy: ScanPolicy, environment: str, random: Random
) -> None:
    other = [
        one.model_copy(update={"findings": tuple(random.sample(one.findings, len(one.findings)))}) for one in evidence
    ]
    random.shuffle(other)
    assert judge(evidence, policy, environment) == judge(other, policy, environment)


@given(st.lists(pieces, max_size=4), policies)
def test_production_is_never_laxer_than_dev(evidence: list[Evidence], policy: ScanPolicy) -> None:
    assert set(judge(evidence, policy, "dev")[0]) <= set(judge(evidence, policy, "production")[0])
