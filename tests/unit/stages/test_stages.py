"""Stages, called as the plain functions that they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shipper.config import Written
from shipper.errors import BugError, GateRefused, PreflightRefused, PublishError
from shipper.model import (
    Admission,
    Approval,
    Finding,
    Image,
    ImageRef,
    ImageScan,
    ImageSettings,
    Lint,
    Problem,
    Readiness,
    RolloutSettings,
    ScanPolicy,
    ServiceSettings,
    Settings,
    Size,
    Smoke,
    Source,
    TargetSettings,
    Traits,
)
from shipper.model.all import All
from shipper.pipeline.cancellation import RunCancellation
from shipper.stages.admit import admit
from shipper.stages.gate import gate
from shipper.stages.preflight import preflight
from shipper.stages.publish import publish, tag_of
from shipper.stages.publish_admitted import publish_admitted
from shipper.stages.size import size
from shipper.targets.conformance.memory import Memory
from shipper.targets.conformance.memory_splits import TRAITS, SplittingTarget
from shipper.targets.conformance.values import Values

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


class Pulling(SplittingTarget):
    """A target without images of its own: it pulls."""

    def __init__(self, traits: Traits = TRAITS) -> None:
        super().__init__(Memory("web"), Values({}), traits)


class Storing(Pulling):
    """A target that holds images itself: at first only the tested one."""

    holds: tuple[str, ...] = (TESTED,)

    def has(self, config_digest: str) -> str | None:
        return "web:tested" if config_digest in self.holds else None

    def load(self, archive: Path, sent: Any) -> str:
        sent(6)
        self.holds = (*self.holds, archive.name)  # the engine below names an archive by its image
        return archive.name


class Saving:
    """An engine whose archive of an image is a file with the image's digest as its name."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def archive(self, image: Image, report: Any, cancel: Any) -> Path:
        path = self._folder / image.config_digest
        path.write_bytes(b"layers")
        return path


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


def whole(**image: Any) -> Settings:
    return Settings(service=SERVICE, image=ImageSettings(**image), run={"env": {"LEVEL": "low"}})


def made_public(what: Image, approved: Approval, settings: Settings, target: Any, registry: Any, folder: Path) -> Any:
    engine: Any = Saving(folder)
    tried = Smoke(subject=what.config_digest, status="passed", started_in=1.5)
    return publish(what, approved, tried, source(), settings, target, registry, engine, Told(), RunCancellation())


def test_publish_refuses_any_other_image_than_the_approved_one(tmp_path: Path) -> None:
    registry = Registry()
    settings = whole(repository="registry.example.com/web")
    with pytest.raises(PublishError, match="the approval is for sha256:a"):
        made_public(image(OTHER), approval(TESTED), settings, Pulling(), registry, tmp_path)
    assert registry.pushed == []


def test_what_is_deployed_says_how_long_the_candidate_took_to_start(tmp_path: Path) -> None:
    settings = whole(repository="registry.example.com/web")
    made = made_public(image(TESTED), approval(TESTED), settings, Pulling(), Registry(), tmp_path)
    assert made.started_in == 1.5


def test_with_a_repository_publish_pushes_under_a_tag_that_names_the_image(tmp_path: Path) -> None:
    registry = Registry()
    settings = whole(repository="registry.example.com/web")
    made = made_public(image(), approval(), settings, Pulling(), registry, tmp_path)
    assert registry.pushed == [(TESTED, "registry.example.com/web", "cfg-" + "a" * 12)]
    assert made.published
    assert made.images["main"].manifest_digest == OTHER
    assert tag_of(image(OTHER)) != tag_of(image())


def test_what_is_deployable_carries_its_configuration_and_when_it_was_committed(tmp_path: Path) -> None:
    made = made_public(image(), approval(), whole(), Storing(), Registry(), tmp_path)
    assert (made.settings, made.commit, made.commit_time, made.origin) == (whole(), "1" * 40, 1, "build")


def test_without_a_repository_the_target_itself_holds_the_image(tmp_path: Path) -> None:
    made = made_public(image(), approval(), whole(), Storing(), Registry(), tmp_path)
    assert (made.images["main"].reference, made.published) == ("web:tested", False)
    with pytest.raises(PublishError, match="pulls from a registry"):
        made_public(image(), approval(), whole(), Pulling(), Registry(), tmp_path)


def test_an_image_that_the_target_does_not_hold_is_moved_there(tmp_path: Path) -> None:
    target = Storing()
    made = made_public(image(OTHER), approval(OTHER), whole(), target, Registry(), tmp_path)
    assert (made.images["main"].config_digest, target.holds) == (OTHER, (TESTED, OTHER))


def test_an_image_that_was_not_built_here_is_published_likewise_and_has_no_commit(tmp_path: Path) -> None:
    engine: Any = Saving(tmp_path)
    tried = Smoke(subject=TESTED, status="passed", started_in=1.5)
    made = publish_admitted(
        image(), approval(), tried, whole(), Storing(), Registry(), engine, Told(), RunCancellation()
    )
    assert (made.images["main"].config_digest, made.origin, made.commit) == (TESTED, "image", None)


def test_an_admitted_image_is_of_the_targets_platform_and_it_is_told_that_nothing_was_built() -> None:
    class Engine:
        asked: tuple[str, ...] = ()

        def admit(self, reference: str, service: str, platform: str, report: Any, cancel: Any) -> Image:
            self.asked = (reference, service, platform)
            return image()

    engine, told = Engine(), Told()
    ready = Readiness(target="here", kind="memory", platform="linux/arm64")
    assert admit(Admission(reference="web:7"), ready, SERVICE, engine, told, RunCancellation()) == image()
    assert engine.asked == ("web:7", "web", "linux/arm64")
    assert told.remarks == ["no build: the Dockerfile and the sources of web:7 were not checked"]


def checked(target: Any, **settings: Any) -> Any:
    chosen = TargetSettings(name="here", kind="memory")
    return preflight(Settings(service=SERVICE, **settings), chosen, target, Written(None, "dev"), Told())


def test_preflight_gives_the_platform_to_build_for() -> None:
    assert checked(Storing()).platform == "linux/amd64"
    assert checked(Storing(), image=ImageSettings(platform="linux/arm64")).platform == "linux/arm64"


def test_preflight_names_every_problem_of_the_target_and_of_its_kind() -> None:
    class Full(Pulling):
        def preflight(self, spec: Any) -> Any:
            return [Problem(code=32, message="not permitted"), Problem(code=33, message="no answer")]

    with pytest.raises(PreflightRefused) as caught:
        checked(Full())
    assert caught.value.exit_code == 2
    assert [code for code, _ in caught.value.refusals] == [2, 32, 33]
    assert "image.repository" in caught.value.details[0]


def test_one_problem_is_told_once() -> None:
    class Full(Storing):
        def preflight(self, spec: Any) -> Any:
            return [Problem(code=32, key="targets.context", message="not permitted", hint="ask for it")]

    with pytest.raises(PreflightRefused, match=r"targets\.here\.context: not permitted$") as caught:
        checked(Full())
    assert (caught.value.details, caught.value.hint) == ((), "ask for it")


def test_a_strategy_that_the_kind_cannot_do_is_refused_before_the_build() -> None:
    rolling = Storing(TRAITS.model_copy(update={"strategies": ("rolling",)}))
    with pytest.raises(PreflightRefused, match='cannot roll out "canary"'):
        checked(rolling, rollout=RolloutSettings(strategy="canary"))
    assert checked(rolling).target == "here"


@pytest.mark.parametrize(("limit", "status"), [(None, "passed"), (1000, "passed"), (999, "failed")])
def test_size_is_the_uncompressed_layers_against_the_budget(limit: int | None, status: str) -> None:
    assert size(image(bytes_=1000), ImageSettings(max_size=limit), Told()).status == status
