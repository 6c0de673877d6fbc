"""The docker adapter passes the suite on a real engine. `make test` takes a sample, `make sweep` plays all of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from shipper.targets.conformance import Scenario
from tests.conformance.docker_rig import DockerRig
from tests.conformance.playing import play, played
from tests.rig.api import Rig

pytestmark = [pytest.mark.conformance, pytest.mark.timeout(900)]

DOCKER = DockerRig()


@pytest.fixture(scope="module")
def engine(rig: Rig) -> Iterator[None]:
    yield
    DOCKER.close()


@pytest.mark.usefixtures("engine")
@pytest.mark.sample(8)
@played(DOCKER)
def test_docker(scenario: Scenario) -> None:
    play(scenario, DOCKER)
