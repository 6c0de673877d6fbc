"""The Knative adapter passes the suite on the rig's cluster: Knative's own webhooks and reconcilers, pods that run.

`make test` takes a sample, `make sweep` plays all of it.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from shipper.targets.conformance import Scenario
from tests.conformance.knative_rig import KnativeRig
from tests.conformance.playing import play, played
from tests.conformance.registry_images import RegistryImages
from tests.rig.kubernetes.handle import KubeRig

pytestmark = [pytest.mark.conformance, pytest.mark.timeout(900)]

IMAGES = RegistryImages()
RIG = KnativeRig(IMAGES)


@pytest.fixture(scope="module", autouse=True)
def cluster(knative_rig: KubeRig) -> Iterator[None]:
    RIG.cluster = knative_rig
    yield
    IMAGES.close()


@pytest.mark.sample(4)
@played(RIG, exhaustive=False)
def test_knative(scenario: Scenario) -> None:
    play(scenario, RIG)


@pytest.mark.sweep
@pytest.mark.timeout(3600)
@played(RIG, exhaustive=True)
def test_knative_exhaustively(scenario: Scenario) -> None:
    play(scenario, RIG)
