"""What a target can do is told by its members: nobody asks the platform for it."""

from __future__ import annotations

from typing import Any

import pytest

from shipper.model import Settings, TargetSettings
from shipper.targets import (
    AsksInside,
    Collects,
    Diagnoses,
    KeysSecrets,
    Measures,
    PinsSecrets,
    Probes,
    Replaces,
    SplitsTraffic,
    StoresImages,
    StreamsLogs,
    Target,
    TargetContext,
)
from shipper.targets.conformance import SplittingRig, Values, powers_of
from shipper.targets.conformance.memory_splits import SplittingTarget
from shipper.targets.conformance.watched import watched
from shipper_targets import docker

pytestmark = pytest.mark.unit


class Silent(SplittingTarget):
    """A target whose platform is not there when it is asked for its default platform."""

    @property
    def default_platform(self) -> str:  # type: ignore[override]
        raise AssertionError("the platform was asked")


@pytest.fixture
def silent() -> Any:
    place = SplittingRig().fresh()
    target = Silent(place.memory, Values({}), SplittingRig().traits)
    with pytest.raises(AssertionError, match="the platform was asked"):
        assert target.default_platform
    return target


def test_a_power_is_found_without_the_value_of_a_property(silent: Any) -> None:
    assert isinstance(silent, Target)
    assert isinstance(silent, SplitsTraffic)
    assert not isinstance(silent, Replaces)
    assert not isinstance(silent, StoresImages)
    assert {SplitsTraffic, Probes} <= powers_of(silent, SplittingRig().fresh())


def test_a_target_that_is_looked_at_has_the_same_powers(silent: Any) -> None:
    place = SplittingRig().fresh()
    assert powers_of(watched(silent, lambda name, call: call()), place) == powers_of(silent, place)


def test_what_the_docker_target_can_do_is_known_without_an_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:9")
    settings = Settings.model_validate({"service": {"service": "web", "root": "/"}})
    here = TargetSettings(name="here", kind="docker", settings={"host": "tcp://127.0.0.1:9"})
    target = docker.kind.connect(TargetContext("here", settings, here.settings, Values({})))
    powers = powers_of(target, SplittingRig().fresh())
    assert {
        SplitsTraffic, Probes, Measures, AsksInside, KeysSecrets, Diagnoses, Collects, StreamsLogs, StoresImages,
    } <= powers  # fmt: skip
    assert not {Replaces, PinsSecrets} & powers
