"""A revision that is not ready: what can never heal is told at once, with the container's own words."""

from __future__ import annotations

import itertools
import time

import pytest

from shipper.model import HealthSettings
from tests.integration.docker_host.conftest import Place, Service

pytestmark = pytest.mark.integration


def test_a_crash_at_the_start_is_told_with_its_last_lines(shop: Service) -> None:
    old = shop.serve()
    started = time.monotonic()
    last = shop.follow(shop.create(CRASH="1"))
    assert time.monotonic() - started < 5
    assert last.state == "failed"
    assert last.dossier is not None
    assert (last.dossier.cause, last.dossier.exit_status) == ("crashed", 1)
    assert last.dossier.log_tail[-1] == "the model file is missing: /models/iris.onnx"
    assert shop.ask().revision == old.name


def test_a_service_on_loopback_is_told_at_once(shop: Service) -> None:
    last = shop.follow(shop.create(BIND="127.0.0.1"))
    assert last.state == "failed"
    assert last.dossier is not None
    assert last.dossier.cause == "loopback"
    assert "127.0.0.1:8080" in last.reason


def test_a_service_that_answers_on_another_port_is_told_which(shop: Service) -> None:
    last = shop.follow(shop.create(LISTEN="8123"))
    assert last.state == "failed"
    assert last.dossier is not None
    assert last.dossier.cause == "wrong-port"
    assert "8123" in last.reason
    assert "8123" in last.dossier.hint


def test_a_command_that_is_not_there_is_the_revisions_failure(place: Place) -> None:
    shop = place.service(run={"command": ("/no/such/program",), "init": False})
    last = shop.follow(shop.create())
    assert last.state == "failed"
    assert last.dossier is not None
    assert "/no/such/program" in last.reason


def test_a_service_out_of_memory_is_told_so(place: Place) -> None:
    shop = place.service(run={"memory": 50_000_000})
    last = shop.follow(shop.create(EAT_MEMORY="1"))
    assert last.state == "failed"
    assert last.dossier is not None
    assert last.dossier.cause == "out-of-memory"
    assert "50.0 MB" in last.reason


def test_a_slow_start_is_waited_for_and_told_in_small_steps(shop: Service) -> None:
    revision = shop.create(START_SECONDS="1.5")
    at, reasons = [time.monotonic()], []
    for step in shop.target.progress(revision):
        at.append(time.monotonic())
        reasons.append(step.reason)
    assert step.state == "ready"
    assert "nothing listens on its port yet" in reasons
    assert max(later - earlier for earlier, later in itertools.pairwise(at)) < 1


def test_ready_is_what_the_configuration_says(place: Place) -> None:
    shop = place.service(health=HealthSettings.model_validate({"json": {"model": "loaded"}}))
    revision = shop.create(HEALTH_BODY='{"model": "loading"}')
    step = shop.follow(revision, seconds=1.0)
    assert step.state == "waiting"
    assert "loading" in step.reason
    found = shop.target.diagnose(revision)
    assert found.cause == "bad-answer"
    assert shop.follow(shop.create(HEALTH_BODY='{"model": "loaded"}')).state == "ready"


def test_a_constant_500_is_told_as_such_at_the_deadline(shop: Service) -> None:
    revision = shop.create(HEALTH_STATUS="500")
    assert "answers 500" in shop.follow(revision, seconds=1.0).reason
    assert shop.target.diagnose(revision).cause == "bad-status"


def test_a_warm_revision_that_crashed_once_long_ago_is_ready_all_the_same(place: Place, shop: Service) -> None:
    release = shop.next()
    revision = shop.serve(release)
    shop.ask("/die", method="POST")
    container = place.client.containers.get(f"{place.namespace}-{revision.name}")
    assert shop.follow(revision).state in ("ready", "failed")
    while not container.attrs["RestartCount"]:
        container.reload()
    assert shop.follow(shop.create(release)).state == "ready"


def test_a_container_that_somebody_removed_is_told_as_gone(place: Place, shop: Service) -> None:
    revision = shop.create(START_SECONDS="30")
    place.client.containers.get(f"{place.namespace}-{revision.name}").remove(force=True)
    last = shop.follow(revision)
    assert last.dossier is not None
    assert last.dossier.cause == "removed"


def test_the_log_is_what_the_service_said(shop: Service) -> None:
    revision = shop.serve()
    assert list(shop.target.logs(revision)) == ["starting v1"]
