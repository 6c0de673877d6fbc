"""What goes wrong at Cloud Run in the middle of a command: refused, out of quota, out of order, silent, slow, stuck.

Each is asked from outside: exit code, cause, and what serves over HTTP. The invariant of all: what served before serves
on, or the exit code says otherwise; and when the fault is over the same command ends well.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.cloud.scenarios import IN_STEPS, ROLLBACK, SECOND, TRANSPORTS, Attempt, Scenario, must
from tests.e2e.cloud.tiny_cloud import Places, Transport, places_in
from tests.rig.stores import RunningStore

if TYPE_CHECKING:
    from pathlib import Path

    from tests.rig.api import Rig

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]

UPDATE = "run.services.update"
FOR_EVER = 10**6


@pytest.fixture(scope="module")
def places(
    shipper: Path, google_rig: Rig, ledger_store: RunningStore, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Places]:
    with places_in(shipper, google_rig, ledger_store, tmp_path_factory.mktemp("clouds")) as made:
        yield made


def ends_well(attempt: Attempt) -> None:
    """The fault is over: the same command again."""
    must(attempt.place.run(*attempt.once_more))
    assert attempt.place.text() == attempt.wanted
    assert attempt.place.left_over() == []


# Permission.


@pytest.mark.sample(1)
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_permission_taken_away_before_traffic_moves(places: Places, transport: Transport) -> None:
    attempt = SECOND.prepare(places, transport)
    place, hands, project = attempt.place, attempt.place.cloud.hands, attempt.place.cloud.project
    ended = place.meddled(1, "after", lambda: hands.deny(project, UPDATE), *attempt.words)
    hands.allow(project, UPDATE)
    assert ended.code == 20, ended
    assert UPDATE in ended.said
    assert place.text() == attempt.served
    ends_well(attempt)


@pytest.mark.sample(1)
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_permission_taken_away_in_a_canary_needs_a_person(places: Places, transport: Transport) -> None:
    attempt = IN_STEPS.prepare(places, transport)
    place, hands, project = attempt.place, attempt.place.cloud.hands, attempt.place.cloud.project
    ended = place.meddled(2, "after", lambda: hands.deny(project, UPDATE), *attempt.words)
    hands.allow(project, UPDATE)
    assert ended.code == 22, ended
    assert UPDATE in ended.said
    assert sorted(place.cloud.serves.values()) == [10, 90]
    ends_well(attempt)


# Quota, image, start.


def test_no_gpu_in_the_quota_is_told_before_anything_is_written(places: Places) -> None:
    attempt = _with_gpu(places)
    place = attempt.place
    place.cloud.hands.gpus(place.cloud.project, 0)
    before = len(place.writes())
    ended = attempt.run()
    place.cloud.hands.gpus(place.cloud.project, None)
    assert ended.code == 2, ended
    assert "quota" in ended.said.lower()
    assert len(place.writes()) == before
    assert place.text() == attempt.served


def test_a_quota_that_somebody_else_used_up_meanwhile(places: Places) -> None:
    attempt = _with_gpu(places)
    place, hands = attempt.place, attempt.place.cloud.hands

    def used_up(side: str, asked: object) -> None:
        """At the first word to the ledger: preflight is over then."""
        hands.gpus(place.cloud.project, 0)

    with place.points.troubled(used_up):
        ended = attempt.run()
    hands.gpus(place.cloud.project, None)
    assert ended.code == 20, ended
    assert "quota" in ended.said.lower()
    assert place.text() == attempt.served
    assert place.left_over() == []


def test_an_image_that_is_not_there_is_told_before_anything_is_written(places: Places) -> None:
    attempt = SECOND.prepare(places, "grpc")
    place = attempt.place
    before = len(place.writes())
    missing = f"{place.image.partition('@')[0]}@sha256:{'0' * 64}"
    ended = place.run(*place.build_words, "--image", missing)
    assert ended.code == 2, ended
    assert missing in ended.said
    assert len(place.writes()) == before
    assert place.text() == attempt.served


@pytest.mark.sample(1)
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_startup_probe_that_fails(places: Places, transport: Transport) -> None:
    attempt = SECOND.prepare(places, transport)
    place = attempt.place
    place.write(attempt.wanted, run={"env": {"START_SECONDS": "120"}}, health={"startup": "4s"})
    ended = attempt.run()
    assert ended.code == 20, ended
    assert "start" in ended.said
    assert place.text() == attempt.served
    assert place.left_over() == []
    place.write(attempt.wanted)
    ends_well(attempt)


# No answer.


@pytest.mark.sample(1)
@pytest.mark.parametrize("after", [False, True], ids=["not carried out", "carried out"])
@pytest.mark.parametrize("method", ["GetService", "GetRevision", "ListRevisions", "UpdateService"])
@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("scenario", [SECOND, IN_STEPS, ROLLBACK], ids=lambda scenario: scenario.name)
def test_one_call_without_an_answer_changes_nothing(
    places: Places, scenario: Scenario, transport: Transport, method: str, after: bool
) -> None:
    attempt = scenario.prepare(places, transport)
    place = attempt.place
    place.cloud.hands.fail(place.cloud.project, method, after=after)
    ended = attempt.run()
    assert ended.code == 0, ended
    assert place.text() == attempt.wanted
    assert place.left_over() == []


@pytest.mark.sample(1)
@pytest.mark.parametrize("k", [1, 2, 3])
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_any_write_may_lose_its_answer(places: Places, transport: Transport, k: int) -> None:
    attempt = SECOND.prepare(places, transport)
    place, hands, project = attempt.place, attempt.place.cloud.hands, attempt.place.cloud.project
    ended = place.meddled(k, "before", lambda: hands.fail(project, "UpdateService", after=True), *attempt.words)
    assert ended.code == 0, ended
    assert place.text() == attempt.wanted
    assert place.left_over() == []


@pytest.mark.sample(1)
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_platform_that_cannot_be_read_is_told_before_anything_is_written(
    places: Places, transport: Transport
) -> None:
    attempt = SECOND.prepare(places, transport)
    place = attempt.place
    before = len(place.writes())
    place.cloud.hands.fail(place.cloud.project, "GetService", times=FOR_EVER)
    ended = attempt.run()
    places.give_up(transport)  # there is no end to it
    assert ended.code == 33, ended
    assert ended.finished["cause"] in ("unreachable", "preflight")
    assert len(place.writes()) == before


@pytest.mark.sweep
@pytest.mark.parametrize("k", [1, 2, 3])
@pytest.mark.parametrize("after", [False, True], ids=["not carried out", "carried out"])
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_writes_that_are_never_answered_from_some_moment_on(
    places: Places, transport: Transport, after: bool, k: int
) -> None:
    """The k-th write is the last one that is carried out, or the first one whose answer is lost."""
    attempt = IN_STEPS.prepare(places, transport)
    place, hands, project = attempt.place, attempt.place.cloud.hands, attempt.place.cloud.project
    fault: dict[str, Any] = {"times": FOR_EVER, "after": after}
    ended = place.meddled(k, "before", lambda: hands.fail(project, "UpdateService", **fault), *attempt.words)
    places.give_up(transport)
    place.settled()
    # A write that had no answer may still come: where nothing can be put back after it, a person is needed.
    assert ended.code in ((0, 20, 21, 22, 24) if after else (22,)), ended
    assert attempt.is_truthful(ended), ended


# No end.


@pytest.mark.sample(1)
@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("scenario", [SECOND, ROLLBACK], ids=lambda scenario: scenario.name)
def test_operations_that_never_end_are_not_waited_for(places: Places, scenario: Scenario, transport: Transport) -> None:
    attempt = scenario.prepare(places, transport)
    place = attempt.place
    place.cloud.hands.stuck(place.cloud.project, "operation")
    ended = attempt.run()
    place.cloud.hands.stuck(place.cloud.project, "")
    assert ended.code == 0, ended
    assert place.text() == attempt.wanted


@pytest.mark.sample(1)
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_revision_that_never_settles_ends_with_the_deadline(places: Places, transport: Transport) -> None:
    attempt = SECOND.prepare(places, transport)
    place = attempt.place
    place.write(attempt.wanted, rollout={"deadline": "6s"}, health={"startup": "60s"})
    place.cloud.hands.stuck(place.cloud.project, "reconcile")
    ended = attempt.run()
    meanwhile = place.text()
    place.cloud.hands.stuck(place.cloud.project, "")
    place.settled()
    assert (ended.code, ended.finished["cause"]) == (20, "deadline"), ended
    assert meanwhile == attempt.served
    assert place.text() == attempt.served, "nobody else moves the traffic when the platform goes on"
    place.write(attempt.wanted)
    ends_well(attempt)


@pytest.mark.sweep
@pytest.mark.parametrize("k", [2, 3, 4])
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_traffic_that_never_settles_ends_with_the_deadline(places: Places, transport: Transport, k: int) -> None:
    attempt = IN_STEPS.prepare(places, transport)
    place, hands, project = attempt.place, attempt.place.cloud.hands, attempt.place.cloud.project
    place.write(attempt.wanted, rollout={"strategy": "canary", "steps": [10, 50], "bake": "300ms", "deadline": "15s"})
    ended = place.meddled(k, "before", lambda: hands.stuck(project, "reconcile"), *attempt.words)
    meanwhile = place.text()
    hands.stuck(project, "")
    place.settled()
    assert ended.code in ((20, 21) if k == 2 else (22,)), ended
    assert meanwhile in attempt.allowed
    assert place.text() == attempt.served, "what puts back was accepted: it comes about in the end"
    place.write(attempt.wanted)
    ends_well(attempt)


# Slow.


@pytest.mark.sweep
@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("scenario", [SECOND, IN_STEPS, ROLLBACK], ids=lambda scenario: scenario.name)
def test_an_api_that_takes_two_seconds_for_everything(places: Places, scenario: Scenario, transport: Transport) -> None:
    attempt = scenario.prepare(places, transport)
    place = attempt.place
    place.cloud.hands.slow(place.cloud.project, "*", 2.0)
    ended = attempt.run()
    place.cloud.hands.slow(place.cloud.project, "*", 0.0)
    assert ended.code == 0, ended
    assert place.text() == attempt.wanted


def _with_gpu(places: Places) -> Attempt:
    attempt = SECOND.prepare(places, "grpc")
    attempt.place.write(attempt.wanted, run={"gpu": 1, "cpu": 4, "memory": "16GiB"})
    return attempt
