"""kill -9 before anything is written to the platform: the build and the smoke test leave nothing that stays."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Host, docker
from tests.e2e.projects import write_service
from tests.rig import load

pytestmark = pytest.mark.e2e

Event = dict[str, Any]


def begun(stage: str) -> Callable[[Event], bool]:
    return lambda event: event["event"] == "stage-started" and event["stage"] == stage


def doing(stage: str, word: str) -> Callable[[Event], bool]:
    return lambda event: event["event"] == "stage-progress" and event["stage"] == stage and word in event["text"]


POINTS = {
    "in the build": begun("build"),
    "in the smoke test": doing("smoke", "waiting"),
    "before the publish": begun("publish"),
}


@pytest.mark.sample(1)
@pytest.mark.parametrize("point", POINTS)
def test_the_next_run_finishes_the_work(host: Host, tmp_path: Path, point: str) -> None:
    folder = tmp_path / "shop"
    write_service(folder, version="1", settings=host.settings())
    ended = host.release(folder)
    assert ended.code == 0, ended
    write_service(folder, version="2", settings=host.settings())
    with load.start(host.port, rate=50, timeout=10) as running:
        killed = host.interrupt(folder, POINTS[point], signal.SIGKILL)
        served = host.ask().json["version"]
        finished = host.release(folder)
        result = running.stop()
    assert (killed.code, served) == (-signal.SIGKILL, "1")
    assert finished.code == 0, finished
    assert host.ask().json["version"] == "2"
    assert result.failed == 0, result
    assert docker("ps", "-aq", "--filter", "label=shipper.smoke").split() == []
    assert len(host.containers(every=True)) == 2, "what serves and the way back"
