"""SIGINT, SIGTERM 7.5 s later, SIGKILL 2.5 s after that, and SIGTERM alone, in every phase of a rollout on a cluster.

Asked from outside: exit code, who answers over HTTP, what is left, and how soon the write came that puts things back.
"""

from __future__ import annotations

from typing import get_args

import pytest

from tests.e2e.cluster.interrupting import CODES, interrupted
from tests.e2e.cluster.kube_scenarios import SECOND, Attempt, under_way
from tests.e2e.cluster.tiny_cluster import SHAPES, KubePlaces, Shape
from tests.e2e.killing.signalled import (
    CI,
    TERMINATED,
    UNCONFIRMED,
    Run,
    assert_interrupted,
    assert_unconfirmed,
)
from tests.e2e.machine import Ended, must
from tests.e2e.tiny_place import canary, slow_start
from tests.rig.kubernetes.gate.hands import When

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

SLOW, BAKING = slow_start(60), canary("60s")
SIGNALS = {"as CI does it": CI, "SIGTERM": TERMINATED}


def assert_put_back(attempt: Attempt, ended: Ended, code: int) -> None:
    assert_interrupted(ended, code)
    assert attempt.place.text() == attempt.served
    if attempt.place.left_over():  # no time was left to remove it: the next run does
        must(attempt.place.release(attempt.place.next_text()))
    assert attempt.place.left_over() == []


@pytest.mark.sample(1)
@pytest.mark.parametrize("how", SIGNALS)
@pytest.mark.parametrize("shape", SHAPES)
def test_while_its_pods_start(kube_places: KubePlaces, shape: Shape, how: str) -> None:
    attempt = SECOND[shape].prepare(kube_places).with_settings(**SLOW)
    run = under_way(attempt)
    ended = run.signal(SIGNALS[how])
    assert_put_back(attempt, ended, CODES[how])
    history = attempt.place.history(newest=1)
    assert history[0].outcome in ("interrupted", "failed"), history


@pytest.mark.sample(1)
@pytest.mark.parametrize("how", SIGNALS)
@pytest.mark.parametrize("shape", SHAPES)
def test_while_the_first_pods_start_everything_goes(kube_places: KubePlaces, shape: Shape, how: str) -> None:
    place = kube_places.fresh(shape)
    place.write(place.next_text(), **SLOW)
    run = Run(place.start(*place.release_words))
    run.until(lambda: bool(place.objects("deployments")))
    ended = run.signal(SIGNALS[how])
    assert_interrupted(ended, CODES[how])
    assert place.text() is None
    place.until(lambda: not place.objects("deployments"))


@pytest.mark.sample(1)
@pytest.mark.parametrize("how", SIGNALS)
def test_in_the_middle_of_a_canary_the_route_is_put_back_within_two_seconds(kube_places: KubePlaces, how: str) -> None:
    attempt = SECOND["canary"].prepare(kube_places).with_settings(**BAKING)
    place = attempt.place
    run = Run(place.start(*attempt.words))
    run.until(lambda: sorted(place.serves.values()) == [10, 90])
    ended = interrupted(place, run, how, "httproutes")
    assert_put_back(attempt, ended, CODES[how])
    assert list(place.serves.values()) == [100]


MOVER = {"rolling": "deployments", "blue-green": "services", "canary": "httproutes"}
"""What the write changes that moves the traffic. The first write to it is the fence's, the next one moves."""


@pytest.mark.sample(1)
@pytest.mark.parametrize("k", [1, 2])
@pytest.mark.parametrize("when", get_args(When))
@pytest.mark.parametrize("shape", SHAPES)
def test_while_a_write_to_what_moves_traffic_is_under_way(
    kube_places: KubePlaces, shape: Shape, when: When, k: int
) -> None:
    """It is left behind: what puts back comes after it, and what is let go too late is refused."""
    attempt = SECOND[shape].prepare(kube_places)
    with attempt.place.stopped_at(k, when, *attempt.words, resource=MOVER[shape]) as (process, _):
        ended = Run(process).signal()
    if ended.code == UNCONFIRMED:
        assert_unconfirmed(ended)
        attempt.place.until(lambda: attempt.place.text() == attempt.served)
        return
    assert_put_back(attempt, ended, 130)
    must(attempt.place.release(attempt.wanted))
    assert attempt.place.text() == attempt.wanted
