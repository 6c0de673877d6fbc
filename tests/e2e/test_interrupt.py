"""Ctrl-C before and after the rollout (in it: killing/test_signals.py): children are gone, what served serves."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Host, docker
from tests.e2e.projects import write_service

pytestmark = pytest.mark.e2e

Event = dict[str, Any]


def _serving(host: Host, folder: Path) -> None:
    write_service(folder, version="1", settings=host.settings())
    ended = host.release(folder)
    assert ended.code == 0, ended


def _still_served(host: Host) -> bool:
    return bool(host.ask().json["version"] == "1")


def _children_of(group_of: str) -> list[str]:
    """Processes whose command line or environment names this test's own folder."""
    listed = subprocess.run(["pgrep", "-f", group_of], capture_output=True, text=True, check=False).stdout.split()
    return [pid for pid in listed if pid != str(os.getpid())]


@pytest.mark.sample(1)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_in_the_build(host: Host, tmp_path: Path, number: int) -> None:
    folder = tmp_path / "shop"
    _serving(host, folder)
    dockerfile = folder / "Dockerfile"
    dockerfile.write_text(dockerfile.read_text() + f"RUN echo {host.namespace} && sleep 120\n")
    ended = host.interrupt(folder, _running_the_last_step, number)
    assert ended.code == (130 if number == signal.SIGINT else 143), ended
    assert ended.seconds < 60
    assert _children_of(str(folder)) == []
    assert _still_served(host)


def test_in_the_smoke_test(host: Host, tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    _serving(host, folder)
    slow = host.settings(health={"startup": "90s"})
    write_service(folder, version="2", behaviour="never-ready", settings=slow)
    ended = host.interrupt(folder, _in("smoke", "waiting for"))
    assert ended.code == 130, ended
    assert ended.seconds < 60
    assert docker("ps", "-aq", "--filter", "label=shipper.smoke").split() == []
    assert _still_served(host)


def test_too_late_to_stop_it_is_a_release(host: Host, tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    _serving(host, folder)
    write_service(folder, version="2", settings=host.settings())
    ended = host.interrupt(folder, lambda event: event["event"] == "stage-started" and event["stage"] == "seal")
    assert ended.code == 0, ended
    assert host.ask().json["version"] == "2"


def _running_the_last_step(event: Event) -> bool:
    return event["event"] == "stage-progress" and event["stage"] == "build" and "sleep" in event["text"]


def _in(stage: str, word: str) -> Callable[[Event], bool]:
    return lambda event: event["event"] == "stage-progress" and event["stage"] == stage and word in event["text"]
