"""What `shipper publish` looks at before the build: the configuration, and the platform to build for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from shipper.config import ConfigProblems, Written
from shipper.errors import (
    CredentialsError,
    Denied,
    Interrupted,
    PreflightRefused,
    ShipperError,
    Transient,
    UnreachableError,
    UsageError,
)
from shipper.model import Readiness, Settings, TargetSettings
from shipper.model.secret import Secret
from shipper.pipeline.remarks import Remarks
from shipper.stages import preflight_publish
from shipper.targets.conformance.memory import Memory
from shipper.targets.conformance.memory_splits import TRAITS, SplittingTarget
from shipper.targets.conformance.values import Values

pytestmark = pytest.mark.unit

HERE = TargetSettings(name="here", kind="memory")
REPOSITORY = {"repository": "registry.example.com/shop"}
NATIVE = {"secrets": {"TOKEN": "kubernetes:keys/token"}}


class Managed(SplittingTarget):
    """A place that somebody else writes to: whoever asks whether it takes a release is wrong here."""

    def __init__(self, platform: str | Exception = "linux/arm64") -> None:
        traits = TRAITS.model_copy(update={"secret_references": ("env", "file", "kubernetes")})
        super().__init__(Memory("web"), Values({}), traits)
        self._platform = platform

    @property
    def default_platform(self) -> str:  # type: ignore[override]
        if isinstance(self._platform, Exception):
            raise self._platform
        return self._platform

    def preflight(self, spec: object) -> Any:
        raise AssertionError("the target was asked whether it takes the release")

    def observe(self) -> Any:
        raise AssertionError("the target was looked at")


class Storing(Managed):
    """A target that needs no registry for a release."""

    def has(self, config_digest: str) -> str | None:
        return None

    def load(self, archive: object, sent: Callable[[int], None]) -> str:
        raise AssertionError


class Trial(Values):
    """The values that a candidate gets, or why it gets none."""

    def __init__(self, error: Exception | None = None) -> None:
        super().__init__({})
        self._error = error
        self.asked = 0

    def trial(self) -> tuple[Secret, ...]:
        self.asked += 1
        if self._error is not None:
            raise self._error
        return ()


def asked(
    target: SplittingTarget,
    told: Remarks | None = None,
    secrets: Values | None = None,
    **sections: Any,
) -> Readiness:
    sections = {"service": {"service": "web", "root": "/"}, "image": REPOSITORY, **sections}
    settings = Settings.model_validate(sections)
    return preflight_publish.preflight(
        settings, HERE, target, secrets or Trial(), Written(None, "dev"), told or Remarks()
    )


def test_the_platform_is_the_targets_own_and_nothing_else_is_asked() -> None:
    told = Remarks()
    assert asked(Managed(), told) == Readiness(target="here", kind="memory", platform="linux/arm64")
    assert told.texts == []


def test_one_that_is_configured_is_taken_without_asking() -> None:
    told = Remarks()
    mute = Managed(AssertionError("it was asked for its platform"))
    assert asked(mute, told, image={**REPOSITORY, "platform": "linux/arm/v7"}).platform == "linux/arm/v7"
    assert told.texts == []


@pytest.mark.parametrize(
    "error",
    [
        Denied("nodes is forbidden"),
        Transient("connection refused"),
        UsageError("there is no context production"),
        CredentialsError("the kubeconfig cannot be read"),
        UnreachableError("ssh does not answer"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_where_nobody_can_be_asked_it_is_the_usual_one_and_that_is_said(error: Exception) -> None:
    told = Remarks()
    assert asked(Managed(error), told).platform == "linux/amd64"
    assert told.texts[0] == f"here cannot be asked for its platform: {error}"
    assert told.texts[1].startswith("built for linux/amd64: [image] platform =")


def test_who_interrupts_gets_no_usual_platform() -> None:
    with pytest.raises(Interrupted):
        asked(Managed(Interrupted("interrupted")))


@pytest.mark.parametrize("target", [Managed(), Storing()], ids=["pulling", "storing"])
def test_without_a_repository_it_is_refused_once(target: SplittingTarget) -> None:
    with pytest.raises(PreflightRefused, match=r"image\.repository") as refused:
        asked(target, image={})
    assert refused.value.refusals[0][0] == refused.value.exit_code == 2
    assert len(refused.value.refusals) == 1
    assert "repository = " in refused.value.hint


def test_what_the_configuration_says_by_itself_is_told_at_once() -> None:
    with pytest.raises(PreflightRefused) as refused:
        asked(Managed(), image={}, run={"volumes": [{"source": "gs://models", "target": "/m"}]})
    assert len(refused.value.refusals) == 2
    assert any("smoke test cannot mount" in line for line in refused.value.details)


def test_a_value_that_the_smoke_test_cannot_have_is_missed_before_the_build() -> None:
    with pytest.raises(UsageError, match="the smoke test needs the value of TOKEN") as refused:
        asked(Managed(), secrets=Trial(UsageError("there is no context production")), run=NATIVE)
    assert refused.value.exit_code == 2
    assert 'TOKEN = "env:TOKEN"' in refused.value.hint


@pytest.mark.parametrize("error", [UnreachableError("no answer"), ConfigProblems([], message="not there")])
def test_what_already_names_the_stand_in_is_passed_on(error: ShipperError) -> None:
    with pytest.raises(ShipperError) as refused:
        asked(Managed(), secrets=Trial(error), run=NATIVE)
    assert refused.value is error


@pytest.mark.parametrize(
    "sections",
    [
        {"run": NATIVE, "smoke": {"secrets": {"TOKEN": "env:TOKEN"}}},
        {"run": NATIVE, "smoke": {"enabled": False}},
        {"run": {"secrets": {"TOKEN": "env:TOKEN"}}},
    ],
)
def test_nobody_is_asked_for_a_value_that_is_at_hand_or_not_needed(sections: dict[str, Any]) -> None:
    secrets = Trial()
    asked(Managed(), secrets=secrets, **sections)
    assert secrets.asked == 0
