"""kill -9 and two runs at once: what served serves, nothing is left over, and the next run finishes the work."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Ended, Host, docker
from tests.e2e.projects import write_service
from tests.rig import load

pytestmark = pytest.mark.e2e

Event = dict[str, Any]


def started(stage: str) -> Callable[[Event], bool]:
    return lambda event: event["event"] == "stage-started" and event["stage"] == stage


def doing(stage: str, word: str) -> Callable[[Event], bool]:
    return lambda event: event["event"] == "stage-progress" and event["stage"] == stage and word in event["text"]


POINTS = {
    "in the build": started("build"),
    "in the smoke test": doing("smoke", "waiting"),
    "before the publish": started("publish"),
    "while it creates": doing("rollout", "creating"),
    "while it waits": doing("rollout", "asking"),
    "while it shifts": doing("rollout", "shifting"),
    "when it has shifted": lambda event: event["event"] == "traffic-shifted",
    "while it retires": doing("rollout", "retiring"),
}


@pytest.mark.sample(3)
@pytest.mark.parametrize("point", POINTS)
def test_killed_at_any_point_the_next_run_finishes_the_work(host: Host, tmp_path: Path, point: str) -> None:
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
    assert killed.code == -signal.SIGKILL
    assert served in ("1", "2")
    assert finished.code == 0, finished
    assert host.ask().json["version"] == "2"
    assert result.failed == 0, result
    assert docker("ps", "-aq", "--filter", "label=shipper.smoke").split() == []
    assert len(host.containers(every=True)) <= 2, "the serving revision and the way back"


def test_two_releases_at_once_end_with_one_of_them_serving(host: Host, tmp_path: Path) -> None:
    folders = {version: tmp_path / version for version in "23"}
    write_service(tmp_path / "1", version="1", settings=host.settings())
    ended = host.release(tmp_path / "1")
    assert ended.code == 0, ended
    for version, folder in folders.items():
        write_service(folder, version=version, settings=host.settings())
    runs: dict[str, Ended] = {}

    def release(version: str) -> None:
        runs[version] = host.release(folders[version])

    threads = [threading.Thread(target=release, args=(version,)) for version in folders]
    with load.start(host.port, rate=50, timeout=10) as running:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        result = running.stop()
    won = [version for version, run in runs.items() if run.code == 0]
    assert won, runs
    assert host.ask().json["version"] in won
    assert {run.code for run in runs.values()} <= {0, 20, 21, 30, 31}, runs
    assert result.failed == 0, result
