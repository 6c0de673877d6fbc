"""Stages, called as the plain functions that they are."""

from __future__ import annotations

from typing import Any

import pytest

from shipper.errors import BugError, GateRefused, PreflightRefused, PublishError
from shipper.model import (
    Approval,
    Finding,
    Image,
    ImageRef,
    ImageScan,
    ImageSettings,
    Lint,
    Problem,
    RolloutSettings,
    ScanPolicy,
    ServiceSettings,
    Settings,
    Size,
    Smoke,
    Source,
    TargetSettings,
)
from shipper.model.all import All
from shipper.stages.gate import gate
from shipper.stages.preflight import preflight
from shipper.stages.publish import publish, tag_of
from shipper.stages.size import size
from tests.unit.rollout.memory_target import MemoryTarget

pytestmark = pytest.mark.unit

TESTED = "sha256:" + "a" * 64
OTHER = "sha256:" + "b" * 64
SOURCE = "sha256:" + "c" * 64
SERVICE = ServiceSettings(service="web", root="/somewhere")


class Told:
    """A reporter that remembers remarks."""

    def __init__(self) -> None:
        self.remarks: list[str] = []

    def progress(self, text: str, *_: Any) -> None: ...
    def log(self, line: str, stream: str = "stdout") -> None: ...
    def evidence(self, evidence: Any) -> None: ...
    def emit(self, event: Any) -> None: ...

    def remark(self, text: str) -> None:
        self.remarks.append(text)


class Never:
    """A cancellation that never comes."""

    cancelled = False

    def check(self) -> None: ...

    def wait(self, seconds: float) -> bool:
        return False

    def on_cancel(self, callback: Any) -> Any:
        raise AssertionError("not used")


class Storing(MemoryTarget):
    """A target that holds images itself."""

    def has(self, config_digest: str) -> str | None:
        return "web:tested" if config_digest == TESTED else None

    def load(self, archive: Any) -> str:
        raise AssertionError("not used")


class Registry:
    """Remembers what was pushed."""

    def __init__(self) -> None:
        self.pushed: list[tuple[str, str, str]] = []

    def publish(self, image: Image, repository: str, tag: str, report: Any, cancel: Any) -> ImageRef:
        self.pushed.append((image.config_digest, repository, tag))
        return ImageRef(
            config_digest=image.config_digest,
            manifest_digest=OTHER,
            reference=f"{repository}@{OTHER}",
            platform=image.platform,
        )

    def prove(self, image: Image, repository: str, reference: str) -> ImageRef:
        raise AssertionError("not used")


def image(digest: str = TESTED, bytes_: int = 1000) -> Image:
    return Image(
        config_digest=digest,
        source_digest=SOURCE,
        platform="linux/amd64",
        engine_id=digest,
        reference="web:tested",
        diff_ids=(),
        size=bytes_,
    )


def source() -> Source:
    return Source(commit="1" * 40, commit_time=1, dirty=False, context_digest=SOURCE, files=1, size=1)


def approval(digest: str = TESTED) -> Approval:
    return Approval(config_digest=digest, policy=SOURCE, evidence={})


def smoke(status: str = "passed") -> Smoke:
    finding = Finding(id="loopback", title="listens on 127.0.0.1 only", fix="bind 0.0.0.0", kind="smoke")
    findings = (finding,) if status == "failed" else ()
    return Smoke.model_validate(
        {"subject": TESTED, "status": status, "reason": "x", "findings": findings, "log_tail": ("boom",)}
    )


def judged(*evidence: Any, environment: str = "dev") -> Approval:
    service = SERVICE.model_copy(update={"environment": environment})
    return gate(image(), All(evidence), ScanPolicy(), service, Told())


def test_the_gate_approves_exactly_the_image_that_the_evidence_is_about() -> None:
    approved = judged(Lint(subject=SOURCE, status="passed"), ImageScan(subject=TESTED, status="passed"), smoke())
    assert approved.config_digest == TESTED
    assert set(approved.evidence) == {"Lint", "ImageScan", "Smoke"}


def test_the_gate_names_every_reason_and_the_lowest_code_wins() -> None:
    found = Finding(id="CVE-1", title="bad", severity="critical", where="p 1.0", fix="2.0", kind="vulnerability")
    scan = ImageScan(subject=TESTED, status="passed", findings=(found,))
    too_large = Size(subject=TESTED, status="failed", reason="too large")
    with pytest.raises(GateRefused) as caught:
        judged(scan, smoke("failed"), too_large)
    assert caught.value.exit_code == 12
    assert sorted(code for code, _ in caught.value.refusals) == [12, 14, 16]
    assert caught.value.hint == "bind 0.0.0.0"
    assert "  boom" in caught.value.details


def test_evidence_about_another_image_is_a_bug_and_no_approval() -> None:
    with pytest.raises(BugError, match="ImageScan is about sha256:b"):
        judged(ImageScan(subject=OTHER, status="passed"))


def test_a_scan_that_was_switched_off_is_told_in_dev_and_refused_elsewhere() -> None:
    skipped = ImageScan(subject=TESTED, status="skipped", reason="scan.enabled is false")
    assert any("scan.enabled" in remark for remark in judged(skipped).remarks)
    with pytest.raises(GateRefused):
        judged(skipped, environment="production")


def test_publish_refuses_any_other_image_than_the_approved_one() -> None:
    registry = Registry()
    settings = ImageSettings(repository="registry.example.com/web")
    with pytest.raises(PublishError, match="the approval is for sha256:a"):
        publish(image(OTHER), approval(TESTED), source(), settings, MemoryTarget(), registry, Told(), Never())
    assert registry.pushed == []


def test_with_a_repository_publish_pushes_under_a_tag_that_names_the_image() -> None:
    registry = Registry()
    settings = ImageSettings(repository="registry.example.com/web")
    made = publish(image(), approval(), source(), settings, MemoryTarget(), registry, Told(), Never())
    assert registry.pushed == [(TESTED, "registry.example.com/web", "cfg-" + "a" * 12)]
    assert made.published
    assert made.images["main"].manifest_digest == OTHER
    assert tag_of(image(OTHER)) != tag_of(image())


def test_without_a_repository_the_target_itself_must_hold_the_image() -> None:
    made = publish(image(), approval(), source(), ImageSettings(), Storing(), Registry(), Told(), Never())
    assert (made.images["main"].reference, made.published) == ("web:tested", False)
    with pytest.raises(PublishError, match="has no image with config digest"):
        publish(image(OTHER), approval(OTHER), source(), ImageSettings(), Storing(), Registry(), Told(), Never())
    with pytest.raises(PublishError, match="pulls from a registry"):
        publish(image(), approval(), source(), ImageSettings(), MemoryTarget(), Registry(), Told(), Never())


def checked(target: Any, **settings: Any) -> Any:
    whole = Settings(service=SERVICE, **settings)
    return preflight(whole, TargetSettings(name="here", kind="memory"), target, Told())


def test_preflight_gives_the_platform_to_build_for() -> None:
    assert checked(Storing()).platform == "linux/amd64"
    assert checked(Storing(), image=ImageSettings(platform="linux/arm64")).platform == "linux/arm64"


def test_preflight_names_every_problem_of_the_target_and_of_its_kind() -> None:
    class Full(MemoryTarget):
        def preflight(self, spec: Any) -> Any:
            return [Problem(code=32, message="not permitted"), Problem(code=33, message="no answer")]

    with pytest.raises(PreflightRefused) as caught:
        checked(Full())
    assert caught.value.exit_code == 2
    assert [code for code, _ in caught.value.refusals] == [2, 32, 33]
    assert "image.repository" in caught.value.details[0]


def test_a_strategy_that_the_kind_cannot_do_is_refused_before_the_build() -> None:
    class Rolling(Storing):
        traits = MemoryTarget.traits.model_copy(update={"strategies": ("rolling",)})

    with pytest.raises(PreflightRefused, match='cannot roll out "all-at-once"'):
        checked(Rolling(), rollout=RolloutSettings())


@pytest.mark.parametrize(("limit", "status"), [(None, "passed"), (1000, "passed"), (999, "failed")])
def test_size_is_the_uncompressed_layers_against_the_budget(limit: int | None, status: str) -> None:
    assert size(image(bytes_=1000), ImageSettings(max_size=limit), Told()).status == status
