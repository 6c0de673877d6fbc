"""The Cloud Run adapter passes the suite on the rig's Google Cloud, over gRPC and over REST, with credentials.

`make test` takes a sample of each, `make sweep` plays all of it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from shipper.targets.conformance import Scenario
from tests.conformance.cloudrun_rig import ArtifactRegistryImages, CloudRunRig
from tests.conformance.playing import play, played
from tests.rig.api import Rig

pytestmark = [pytest.mark.conformance, pytest.mark.timeout(900)]

IMAGES = ArtifactRegistryImages()
GRPC, REST = CloudRunRig("grpc", IMAGES), CloudRunRig("rest", IMAGES)


@pytest.fixture(scope="module", autouse=True)
def images(google_rig: Rig) -> Iterator[None]:
    yield
    IMAGES.close()


@pytest.fixture(scope="module", autouse=True)
def credentials(google_rig: Rig, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """This machine has a service account's key, and trusts whom a user of Google Cloud trusts."""
    from tests.rig.google.identity import Identity

    key = tmp_path_factory.mktemp("credentials") / "key.json"
    identity = Identity(google_rig.google.folder / "identity")
    identity.key_file(key, f"conformance-{os.getpid()}@ci.iam.gserviceaccount.com")
    with pytest.MonkeyPatch.context() as environment:
        for name, value in {**google_rig.google.env, "GOOGLE_APPLICATION_CREDENTIALS": str(key)}.items():
            environment.setenv(name, value)
        yield


@pytest.mark.sample(8)
@played(GRPC, exhaustive=False)
def test_cloudrun_over_grpc(scenario: Scenario) -> None:
    play(scenario, GRPC)


@pytest.mark.sample(6)
@played(REST, exhaustive=False)
def test_cloudrun_over_rest(scenario: Scenario) -> None:
    play(scenario, REST)


@pytest.mark.sweep
@pytest.mark.timeout(3600)
@played(GRPC, exhaustive=True)
def test_cloudrun_over_grpc_exhaustively(scenario: Scenario) -> None:
    play(scenario, GRPC)


@pytest.mark.sweep
@pytest.mark.timeout(3600)
@played(REST, exhaustive=True)
def test_cloudrun_over_rest_exhaustively(scenario: Scenario) -> None:
    play(scenario, REST)
