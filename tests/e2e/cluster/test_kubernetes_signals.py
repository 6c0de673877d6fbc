"""SIGINT, SIGTERM 7.5 s later, SIGKILL 2.5 s after that, and SIGTERM alone, in every phase of a rollout on a cluster.

Asked from outside: exit code, who answers over HTTP, what is left, and how soon the write came that puts things back.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Mapping
from typing import Any, get_args

import pytest

from tests.e2e.cluster.kube_scenarios import SECOND, Attempt, must
from tests.e2e.cluster.tiny_cluster import SHAPES, KubePlaces, Shape, slow_start
from tests.e2e.killing.signalled import TERMINATED, Run
from tests.e2e.machine import Ended
from tests.rig.kubernetes.gate.hands import When

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

SLOW: Mapping[str, Any] = slow_start(60)
BAKING: Mapping[str, Any] = {"rollout": {"strategy": "canary", "steps": [10, 50], "bake": "60s"}}
ISSUED = 2.0
"""Seconds from the signal to the write that puts things back."""
UNCONFIRMED = 22
TREE_KILLED = 10.0
"""Seconds from the first signal to SIGKILL."""
SIGNALS = {"as CI does it": None, "SIGTERM": TERMINATED}
CODES = {"as CI does it": 130, "SIGTERM": 143}


def prepared(places: KubePlaces, shape: Shape, **settings: Any) -> Attempt:
    """A release over one that serves."""
    attempt = SECOND[shape].prepare(places)
    attempt.place.write(attempt.wanted, **settings)
    return attempt


def signalled(run: Run, how: str) -> Ended:
    signals = SIGNALS[how]
    return run.signal() if signals is None else run.signal(signals)


def generations(attempt: Attempt) -> int:
    """Of all Deployments: another sum means that one was made or changed."""
    return sum(int(one["metadata"]["generation"]) for one in attempt.place.objects("deployments"))


def assert_put_back(attempt: Attempt, ended: Ended, code: int) -> None:
    assert ended.code == code, ended
    assert ended.seconds < TREE_KILLED, ended
    assert attempt.place.text() == attempt.served
    if attempt.place.left_over():  # no time was left to remove it: the next run does
        must(attempt.place.release(attempt.place.next_text()))
    assert attempt.place.left_over() == []


@pytest.mark.sample(1)
@pytest.mark.parametrize("how", SIGNALS)
@pytest.mark.parametrize("shape", SHAPES)
def test_while_its_pods_start(kube_places: KubePlaces, shape: Shape, how: str) -> None:
    attempt = prepared(kube_places, shape, **SLOW)
    before = generations(attempt)
    run = Run(attempt.place.start(*attempt.words))
    run.until(lambda: generations(attempt) > before)
    ended = signalled(run, how)
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
    ended = signalled(run, how)
    assert ended.code == CODES[how], ended
    assert ended.seconds < TREE_KILLED, ended
    assert place.text() is None
    place.until(lambda: not place.objects("deployments"))


@pytest.mark.sample(1)
@pytest.mark.parametrize("how", SIGNALS)
def test_in_the_middle_of_a_canary_the_route_is_put_back_within_two_seconds(kube_places: KubePlaces, how: str) -> None:
    attempt = prepared(kube_places, "canary", **BAKING)
    place, gate = attempt.place, attempt.place.cluster.hands.gate
    run = Run(place.start(*attempt.words))
    run.until(lambda: sorted(place.serves.values()) == [10, 90])
    gate.hold(place.cluster.namespace, 1, "before", resource="httproutes")
    begun = time.monotonic()
    run.process.send_signal(signal.SIGINT if how == "as CI does it" else signal.SIGTERM)
    held = gate.held(place.cluster.namespace, ISSUED + 1)
    issued = time.monotonic() - begun
    gate.release(place.cluster.namespace)
    run.signalled_at = begun
    ended = run.end(TREE_KILLED)
    assert held is not None, "no write to the route came"
    assert issued < ISSUED
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
    attempt = prepared(kube_places, shape)
    with attempt.place.stopped_at(k, when, *attempt.words, resource=MOVER[shape]) as (process, _):
        ended = Run(process).signal()
    assert ended.seconds < TREE_KILLED, ended
    if ended.code == UNCONFIRMED:
        assert ended.finished["cause"] == "unconfirmed", ended
        attempt.place.until(lambda: attempt.place.text() == attempt.served)
        return
    assert_put_back(attempt, ended, 130)
    must(attempt.place.release(attempt.wanted))
    assert attempt.place.text() == attempt.wanted
