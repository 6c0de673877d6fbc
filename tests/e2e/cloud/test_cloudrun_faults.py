"""What goes wrong at Cloud Run in the middle of a command: refused, out of quota, out of order, silent, slow, stuck.

Each is asked from outside: exit code, cause, and what serves over HTTP. The invariant of all: what served before serves
on, or the exit code says otherwise; and when the fault is over the same command ends well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.e2e.answer import asked
from tests.e2e.cloud.scenarios import (
    IN_STEPS,
    ROLLBACK,
    SCENARIOS,
    SECOND,
    Attempt,
    Scenario,
    at_every_write,
)
from tests.e2e.cloud.tiny_cloud import TRANSPORTS, CloudPlaces, TinyCloud, Transport
from tests.e2e.machine import Ended, must
from tests.e2e.projects import merged
from tests.e2e.tiny_place import canary

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]

UPDATE = "run.services.update"
FOR_EVER = 10**6


@contextmanager
def until(over: Callable[[], object]) -> Iterator[None]:
    """A fault is over at the end of the block, however that ends: the next test does not have it."""
    try:
        yield
    finally:
        over()


def assert_done(attempt: Attempt, ended: Ended) -> None:
    must(ended)
    assert attempt.place.text() == attempt.wanted
    assert attempt.place.left_over() == []


def ends_well(attempt: Attempt) -> None:
    """The fault is over: the same command again."""
    assert_done(attempt, attempt.place.run(*attempt.once_more))


def refused(place: TinyCloud, before: int) -> list[str]:
    """How the platform ended the writes since then that it did not carry out."""
    return [write["code"] for write in place.writes()[before:] if write["code"] != "OK"]


# Permission.


@pytest.mark.sample(1)
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_permission_taken_away_before_traffic_moves(places: CloudPlaces, transport: Transport) -> None:
    attempt = SECOND.prepare(places, transport)
    place, hands, project = attempt.place, attempt.place.cloud.hands, attempt.place.cloud.project
    with until(lambda: hands.allow(project, UPDATE)):
        ended = place.meddled(1, "after", lambda: hands.deny(project, UPDATE), *attempt.words)
    assert ended.code == 20, ended
    assert UPDATE in ended.said
    assert place.text() == attempt.served
    ends_well(attempt)


@pytest.mark.sample(1)
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_permission_taken_away_in_a_canary_needs_a_person(places: CloudPlaces, transport: Transport) -> None:
    attempt = IN_STEPS.prepare(places, transport)
    place, hands, project = attempt.place, attempt.place.cloud.hands, attempt.place.cloud.project
    (old,) = place.cloud.serves
    with until(lambda: hands.allow(project, UPDATE)):
        ended = place.meddled(2, "after", lambda: hands.deny(project, UPDATE), *attempt.words)
    assert ended.code == 22, ended
    assert UPDATE in ended.said
    shares = place.cloud.serves
    assert shares.pop(old) == 90
    assert list(shares.values()) == [10]
    ends_well(attempt)


# Quota, image, start.


def test_no_gpu_in_the_quota_is_told_before_anything_is_written(places: CloudPlaces) -> None:
    attempt = _with_gpu(places)
    place = attempt.place
    hands, project = place.cloud.hands, place.cloud.project
    before = len(place.writes())
    with until(lambda: hands.gpus(project, None)):
        hands.gpus(project, 0)
        ended = attempt.run()
    assert ended.code == 2, ended
    assert "quota" in ended.said.lower()
    assert len(place.writes()) == before
    assert place.text() == attempt.served


def test_a_quota_that_somebody_else_used_up_meanwhile(places: CloudPlaces) -> None:
    attempt = _with_gpu(places)
    place, hands, project = attempt.place, attempt.place.cloud.hands, attempt.place.cloud.project
    before = len(place.writes())

    def used_up(*_: object) -> None:
        """At the first word to the ledger: preflight is over then."""
        hands.gpus(project, 0)

    with until(lambda: hands.gpus(project, None)), place.points.troubled(used_up):
        ended = attempt.run()
    assert ended.code == 20, ended
    assert "quota" in ended.said.lower()
    assert refused(place, before) == ["RESOURCE_EXHAUSTED"], "preflight knew nothing of it"
    assert place.text() == attempt.served
    assert place.left_over() == []


def test_an_image_that_is_not_there_is_told_before_anything_is_written(places: CloudPlaces) -> None:
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
def test_a_startup_probe_that_fails(places: CloudPlaces, transport: Transport) -> None:
    attempt = SECOND.prepare(places, transport)
    place = attempt.place
    place.write(attempt.wanted, run={"env": {"START_SECONDS": "120"}}, health={"startup": "4s"})
    ended = attempt.run()
    assert (ended.code, ended.finished["cause"]) == (20, "not-ready"), ended
    assert "/healthz on port 8080 was not ready within 4" in ended.said
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
    places: CloudPlaces, scenario: Scenario, transport: Transport, method: str, after: bool
) -> None:
    """The first call of its kind; of UpdateService that is the rehearsal, where there is one."""
    attempt = scenario.prepare(places, transport)
    hands, project = attempt.place.cloud.hands, attempt.place.cloud.project
    before = hands.calls(project).get(method, 0)
    hands.fail(project, method, after=after)
    ended = attempt.run()
    assert hands.calls(project).get(method, 0) > before, "nothing was lost"
    assert_done(attempt, ended)


@pytest.mark.sample(1)
@pytest.mark.parametrize(("scenario", "transport", "k"), at_every_write("platform", *SCENARIOS))
def test_any_write_may_lose_its_answer(places: CloudPlaces, scenario: Scenario, transport: Transport, k: int) -> None:
    attempt = scenario.prepare(places, transport)
    place, hands, project = attempt.place, attempt.place.cloud.hands, attempt.place.cloud.project
    ended = place.meddled(k, "before", lambda: hands.fail(project, "write", after=True), *attempt.words)
    assert_done(attempt, ended)


@pytest.mark.sample(1)
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_platform_that_cannot_be_read_is_told_before_anything_is_written(
    places: CloudPlaces, transport: Transport
) -> None:
    attempt = SECOND.prepare(places, transport)
    place = attempt.place
    before, address = len(place.writes()), place.cloud.service["uri"]
    places.give_up(transport)  # there is no end to it
    place.cloud.hands.fail(place.cloud.project, "GetService", times=FOR_EVER)
    ended = attempt.run()
    assert ended.code == 33, ended
    assert ended.finished["cause"] == "preflight", ended
    assert len(place.writes()) == before
    assert asked(address).text == attempt.served


@pytest.mark.sweep
@pytest.mark.parametrize("k", [1, 2, 3])
@pytest.mark.parametrize("after", [False, True], ids=["not carried out", "carried out"])
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_writes_that_are_never_answered_from_some_moment_on(
    places: CloudPlaces, transport: Transport, after: bool, k: int
) -> None:
    """The k-th write is the last one that is carried out, or the first one whose answer is lost.

    What puts traffic back has no answer either, so a person is needed; unless no traffic had moved.
    """
    attempt = IN_STEPS.prepare(places, transport)
    place, hands, project = attempt.place, attempt.place.cloud.hands, attempt.place.cloud.project
    fault: dict[str, Any] = {"times": FOR_EVER, "after": after}
    places.give_up(transport)  # there is no end to it
    ended = place.meddled(k, "before", lambda: hands.fail(project, "UpdateService", **fault), *attempt.words)
    place.settled()
    assert ended.code == (20 if after and k == 1 else 22), ended
    assert attempt.is_truthful(ended), ended


# No end.


@pytest.mark.sample(1)
@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("scenario", [SECOND, ROLLBACK], ids=lambda scenario: scenario.name)
def test_operations_that_never_end_are_not_waited_for(
    places: CloudPlaces, scenario: Scenario, transport: Transport
) -> None:
    attempt = scenario.prepare(places, transport)
    hands, project = attempt.place.cloud.hands, attempt.place.cloud.project
    with until(lambda: hands.stuck(project, "")):
        hands.stuck(project, "operation")
        ended = attempt.run()
    assert_done(attempt, ended)


@pytest.mark.sample(1)
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_revision_that_never_settles_ends_with_the_deadline(places: CloudPlaces, transport: Transport) -> None:
    attempt = SECOND.prepare(places, transport)
    place, hands, project = attempt.place, attempt.place.cloud.hands, attempt.place.cloud.project
    place.write(attempt.wanted, rollout={"deadline": "6s"}, health={"startup": "60s"})
    with until(lambda: hands.stuck(project, "")):
        hands.stuck(project, "reconcile")
        ended = attempt.run()
        meanwhile = place.text()
    place.settled()
    assert (ended.code, ended.finished["cause"]) == (20, "deadline"), ended
    assert meanwhile == attempt.served
    assert place.text() == attempt.served, "nobody else moves the traffic when the platform goes on"
    place.write(attempt.wanted)
    ends_well(attempt)


@pytest.mark.sweep
@pytest.mark.parametrize("k", [2, 3, 4])
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_traffic_that_never_settles_ends_with_the_deadline(places: CloudPlaces, transport: Transport, k: int) -> None:
    attempt = IN_STEPS.prepare(places, transport)
    place, hands, project = attempt.place, attempt.place.cloud.hands, attempt.place.cloud.project
    place.write(attempt.wanted, **merged(canary(), {"rollout": {"deadline": "15s"}}))
    with until(lambda: hands.stuck(project, "")):
        ended = place.meddled(k, "before", lambda: hands.stuck(project, "reconcile"), *attempt.words)
        meanwhile = place.text()
    place.settled()
    # The first step was never routed: what served before serves, and that can be seen.
    assert (ended.code, ended.finished["cause"]) == ((20, "deadline") if k == 2 else (22, "unconfirmed")), ended
    assert meanwhile in attempt.allowed
    assert place.text() == attempt.served, "what puts back was accepted: it comes about in the end"
    place.write(attempt.wanted)
    ends_well(attempt)


# Slow.


@pytest.mark.sweep
@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("scenario", [SECOND, IN_STEPS, ROLLBACK], ids=lambda scenario: scenario.name)
def test_an_api_that_takes_two_seconds_for_everything(
    places: CloudPlaces, scenario: Scenario, transport: Transport
) -> None:
    attempt = scenario.prepare(places, transport)
    hands, project = attempt.place.cloud.hands, attempt.place.cloud.project
    with until(lambda: hands.slow(project, "*", 0.0)):
        hands.slow(project, "*", 2.0)
        ended = attempt.run()
    assert_done(attempt, ended)


def _with_gpu(places: CloudPlaces) -> Attempt:
    attempt = SECOND.prepare(places, "grpc")
    attempt.place.write(attempt.wanted, run={"gpu": 1, "cpu": 4, "memory": "16GiB"})
    return attempt
