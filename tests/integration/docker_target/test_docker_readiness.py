"""A revision that is not ready: what can never heal is told at once, with the container's own words."""

from __future__ import annotations

import itertools
import time
from typing import Any

import pytest

from tests.integration.docker_target.conftest import eventually

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]


def test_a_crash_at_the_start_is_told_with_its_last_lines(service: Any) -> None:
    old = service.serve()
    started = time.monotonic()
    last = service.wait(service.create(CRASH="1"))
    assert time.monotonic() - started < 8
    assert last.state == "failed"
    assert last.dossier is not None
    assert (last.dossier.cause, last.dossier.exit_status) == ("crashed", 1)
    assert "the model file is missing: /models/iris.onnx" in last.dossier.log_tail
    assert service.ask().headers["x-shipper-revision"] == old.name


@pytest.mark.sample(2)
@pytest.mark.parametrize(
    ("run", "cause", "words"),
    [
        ({"BIND": "127.0.0.1"}, "loopback", "127.0.0.1:8080"),
        ({"LISTEN": "8123"}, "wrong-port", "8123"),
        ({"EAT_MEMORY": "1", "memory": 50_000_000}, "out-of-memory", "50.0 MB"),
        ({"command": ("/no/such/program",), "init": False}, None, "/no/such/program"),
    ],
)
def test_what_can_never_heal_is_told_at_once(service: Any, run: dict[str, Any], cause: str | None, words: str) -> None:
    last = service.wait(service.create(**run))
    assert last.state == "failed"
    assert last.dossier is not None
    assert cause in (None, last.dossier.cause)
    assert words in last.reason


def test_a_slow_start_is_waited_for_and_told_in_small_steps(service: Any) -> None:
    revision = service.create(START_SECONDS="1.5")
    at, reasons = [time.monotonic()], []
    for step in service.target.progress(revision):
        at.append(time.monotonic())
        reasons.append(step.reason)
    assert step.state == "ready"
    assert "nothing listens on its port yet" in reasons
    assert max(later - earlier for earlier, later in itertools.pairwise(at)) < 1.5


def test_ready_is_what_the_configuration_says(shared_host: Any) -> None:
    service = shared_host.service(health={"json": {"model": "loaded"}})
    revision = service.create(HEALTH_BODY='{"model": "loading"}')
    assert eventually(lambda: "loading" in service.wait(revision, seconds=0.5).reason)
    assert service.target.diagnose(revision).cause == "bad-answer"
    assert service.wait(service.create(HEALTH_BODY='{"model": "loaded"}')).state == "ready"


def test_a_constant_500_is_told_as_such_at_the_deadline(service: Any) -> None:
    revision = service.create(HEALTH_STATUS="500")
    assert eventually(lambda: "answers 500" in service.wait(revision, seconds=0.5).reason)
    assert service.target.diagnose(revision).cause == "bad-status"


def test_a_warm_revision_that_crashed_once_long_ago_is_ready_all_the_same(service: Any) -> None:
    release = service.release()
    revision = service.serve(release=release)
    service.ask("/die", method="POST")

    def came_back() -> bool:
        container = service.container(revision)
        return bool(container.attrs["RestartCount"]) and container.status == "running"

    assert eventually(came_back)
    assert service.wait(service.create(release)).state == "ready"


def test_a_container_that_somebody_removed_is_told_as_gone(service: Any) -> None:
    revision = service.create(START_SECONDS="30")
    service.container(revision).remove(force=True)
    last = service.wait(revision)
    assert last.dossier is not None
    assert last.dossier.cause == "removed"


def test_the_log_is_what_the_service_said(service: Any) -> None:
    revision = service.serve("one")
    assert list(service.target.logs(revision)) == ["starting one"]
