"""What would only fail after the build, or at the push, is found before it."""

from __future__ import annotations

from typing import Any

import pytest

from shipper.config import Written
from shipper.errors import PreflightRefused
from shipper.model import Problem, Readiness, Settings, TargetSettings, TargetSpec
from shipper.pipeline.remarks import Remarks
from shipper.stages import preflight, preflight_config
from shipper.targets.conformance.memory import Memory
from shipper.targets.conformance.memory_splits import SplittingTarget
from shipper.targets.conformance.values import Values

pytestmark = pytest.mark.unit

HERE = TargetSettings(name="here", kind="memory")
BUCKET = {"volumes": [{"source": "gs://models/iris", "target": "/models"}]}
STAND_IN = {"volumes": [{"source": "model", "target": "/models"}]}
ELSEWHERE = {"volumes": [{"source": "model", "target": "/modles"}]}
GOOGLE = "europe-west1-docker.pkg.dev/acme-1/images"


class Mounting(SplittingTarget):
    """A platform that mounts whatever it is asked to."""

    def preflight(self, spec: TargetSpec) -> list[Problem]:
        return []


def asked(stage: Any = preflight, repository: str = f"{GOOGLE}/shop", **sections: Any) -> Readiness:
    settings = Settings.model_validate(
        {"service": {"service": "web", "root": "/"}, "image": {"repository": repository}, **sections}
    )
    ready: Readiness = stage.preflight(
        settings, HERE, Mounting(Memory("web"), Values({})), Written(None, "dev"), Remarks()
    )
    return ready


def test_a_bucket_without_a_stand_in_is_refused_before_the_build() -> None:
    with pytest.raises(PreflightRefused, match="the smoke test cannot mount gs://models/iris") as refused:
        asked(run=BUCKET)
    assert refused.value.exit_code == 2
    assert 'target = "/models"' in refused.value.hint


def test_a_stand_in_of_nothing_likewise() -> None:
    with pytest.raises(PreflightRefused, match="stands in for a volume at /modles"):
        asked(run=BUCKET, smoke=ELSEWHERE)


def test_with_its_stand_in_it_is_accepted() -> None:
    assert asked(run=BUCKET, smoke=STAND_IN).target == "here"


def test_without_a_smoke_test_nobody_needs_one() -> None:
    assert asked(run=BUCKET, smoke={"enabled": False}).target == "here"


def test_an_image_that_serves_already_is_not_tried_again() -> None:
    assert asked(preflight_config, run=BUCKET).target == "here"


@pytest.mark.parametrize("repository", [GOOGLE, "gcr.io/acme-1", "us-docker.pkg.dev/acme-1/my_images/shop"])
def test_a_name_that_artifact_registry_cannot_have_is_refused(repository: str) -> None:
    with pytest.raises(PreflightRefused, match=r"image\.repository") as refused:
        asked(repository=repository)
    assert "IMAGE" in refused.value.hint
