"""The docker adapter passes the suite on a real engine. `make test` takes a sample, `make sweep` plays all of it.

Scenarios that make a run for every write or every error take minutes each here: they belong to the sweep.
"""

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
@played(DOCKER, exhaustive=False)
def test_docker(scenario: Scenario) -> None:
    play(scenario, DOCKER)


@pytest.mark.usefixtures("engine")
@pytest.mark.sweep
@pytest.mark.timeout(3600)
@played(DOCKER, exhaustive=True)
def test_docker_exhaustively(scenario: Scenario) -> None:
    play(scenario, DOCKER)
