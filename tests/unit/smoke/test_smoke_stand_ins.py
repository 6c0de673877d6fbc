"""The candidate runs on this machine: what only a platform has needs a stand-in."""

from __future__ import annotations

import pytest

from shipper.errors import ConfigError, SmokeError
from shipper.model import RunSettings, SmokeSettings
from shipper.smoke.engine import refused
from shipper.smoke.stand_ins import as_tried

pytestmark = pytest.mark.unit

BUCKET = {"source": "gs://models/iris", "target": "/models"}
HERE = {"source": "model", "target": "/models/"}


def run_with(*volumes: dict[str, str]) -> RunSettings:
    return RunSettings.model_validate({"volumes": volumes})


def smoke_with(*volumes: dict[str, str]) -> SmokeSettings:
    return SmokeSettings.model_validate({"volumes": volumes})


def test_a_bucket_is_stood_in_for_by_a_directory_of_this_machine() -> None:
    other = {"source": "data", "target": "/data"}
    tried = as_tried(run_with(other, BUCKET), smoke_with(HERE))
    assert [(volume.source, volume.target) for volume in tried.volumes] == [("data", "/data"), ("model", "/models/")]


def test_without_stand_ins_everything_is_as_in_production() -> None:
    run = run_with(HERE)
    assert as_tried(run, SmokeSettings()) == run


@pytest.mark.parametrize("source", ["gs://models/iris", "pvc:models/iris", "configmap:model"])
def test_what_only_a_platform_has_is_refused_with_what_to_write(source: str) -> None:
    with pytest.raises(ConfigError, match=f"cannot mount {source}") as refused:
        as_tried(run_with({**BUCKET, "source": source}), SmokeSettings())
    assert refused.value.exit_code == 2
    assert refused.value.hint == 'give it a directory: [[smoke.volumes]] source = "…", target = "/models"'


def test_a_stand_in_of_nothing_is_a_mistake() -> None:
    with pytest.raises(ConfigError, match=r"stands in for a volume at /models, and .* has none there"):
        as_tried(run_with(), smoke_with(HERE))


@pytest.mark.parametrize(("left", "gets"), [({}, 2), ({"gpu": 0}, 0), ({"gpu": 1}, 1), ({"gpu": 3}, 2)])
def test_the_candidate_gets_the_gpus_that_it_is_left_and_no_more_than_production(
    left: dict[str, int], gets: int
) -> None:
    assert as_tried(RunSettings(gpu=2), SmokeSettings(**left)).gpu == gets


def test_an_engine_without_a_gpu_is_told_with_the_setting_that_does_without() -> None:
    words = 'could not select device driver "" with capabilities: [[gpu]]'
    error = refused("start the candidate", words)
    assert isinstance(error, SmokeError)
    assert error.message == "could not start the candidate: this engine has no GPU"
    assert error.hint.startswith("set [smoke] gpu = 0")
    assert "enabled" not in error.hint  # production does not allow that
