"""The Kubernetes adapter passes the suite on a real control plane, in each shape that it deploys in.

`make test` takes a sample of each, `make sweep` plays all of it.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from shipper.targets.conformance import Scenario
from tests.conformance.kubernetes_rig import KubernetesRig
from tests.conformance.playing import play, played
from tests.conformance.registry_images import RegistryImages
from tests.rig.kubernetes.handle import KubeRig

pytestmark = [pytest.mark.conformance, pytest.mark.timeout(900)]

IMAGES = RegistryImages()
ROLLING, BLUE_GREEN, CANARY = (KubernetesRig(name, IMAGES) for name in ("rolling", "blue-green", "canary"))


@pytest.fixture(scope="module", autouse=True)
def cluster(kube_rig: KubeRig) -> Iterator[None]:
    for rig in (ROLLING, BLUE_GREEN, CANARY):
        rig.cluster = kube_rig
    yield
    IMAGES.close()


@pytest.mark.sample(4)
@played(ROLLING, exhaustive=False)
def test_kubernetes_rolling(scenario: Scenario) -> None:
    play(scenario, ROLLING)


@pytest.mark.sample(3)
@played(BLUE_GREEN, exhaustive=False)
def test_kubernetes_blue_green(scenario: Scenario) -> None:
    play(scenario, BLUE_GREEN)


@pytest.mark.sample(3)
@played(CANARY, exhaustive=False)
def test_kubernetes_canary(scenario: Scenario) -> None:
    play(scenario, CANARY)


@pytest.mark.sweep
@pytest.mark.timeout(3600)
@played(ROLLING, exhaustive=True)
def test_kubernetes_rolling_exhaustively(scenario: Scenario) -> None:
    play(scenario, ROLLING)


@pytest.mark.sweep
@pytest.mark.timeout(3600)
@played(BLUE_GREEN, exhaustive=True)
def test_kubernetes_blue_green_exhaustively(scenario: Scenario) -> None:
    play(scenario, BLUE_GREEN)


@pytest.mark.sweep
@pytest.mark.timeout(3600)
@played(CANARY, exhaustive=True)
def test_kubernetes_canary_exhaustively(scenario: Scenario) -> None:
    play(scenario, CANARY)
