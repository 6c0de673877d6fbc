"""A rollout while others are at work: a second release, an API server that goes away, watches that end with 410."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.e2e.attempts import NOT_KNOWN
from tests.e2e.cluster.kube_scenarios import SECOND, under_way
from tests.e2e.cluster.tiny_cluster import SHAPES, KubePlaces, Shape, TinyCluster
from tests.e2e.machine import Ended
from tests.e2e.tiny_place import slow_start

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

REFUSED = {16, 20, 21, 30, 31}
"""What a run may end with that did not win: before it wrote anything, or put back."""
SECONDS = 8
"""Until the new pods are ready: what happens meanwhile happens in the middle of the rollout."""


def both(one: TinyCluster, two: TinyCluster) -> tuple[list[str], list[Ended]]:
    """Each releases a text of its own, at the same time."""
    texts = [f"{one.next_text()} {who}" for who in ("ours", "theirs")]
    for machine, text in zip((one, two), texts, strict=True):
        machine.write(text)
    with ThreadPoolExecutor(2) as pool:
        ended = list(pool.map(lambda machine: machine.run(*machine.release_words), (one, two)))
    return texts, ended


def assert_one_has_won(place: TinyCluster, served: str, texts: list[str], ended: list[Ended]) -> None:
    codes = [run.code for run in ended]
    won = {text for text, code in zip(texts, codes, strict=True) if code == 0}
    assert set(codes) <= {0, *REFUSED}, ended
    assert place.text() in (won or {served}), ended
    assert list(place.serves.values()) == [100]
    assert {place.text() for _ in range(30)} == {place.text()}


@pytest.mark.sample(1)
@pytest.mark.parametrize("shape", SHAPES)
def test_of_two_releases_one_waits_or_is_told_and_none_is_lost(kube_places: KubePlaces, shape: Shape) -> None:
    place = kube_places.kept(shape)
    served = place.served()
    other = place.another_machine(f"colleague-{place.next_text().split()[-1]}")
    with place.under_load(20) as running:
        texts, ended = both(place, other)
        result = running.stop()
    assert 0 in [run.code for run in ended], ended
    assert_one_has_won(place, served, texts, ended)
    assert result.failed == 0, dict(result.failures)
    assert place.left_over() == []
    numbers = [one.number for one in place.history()]
    assert len(numbers) == len(set(numbers)), numbers


@pytest.mark.sample(1)
@pytest.mark.parametrize("shape", SHAPES)
def test_without_a_ledger_in_common_the_clusters_own_conditions_decide(kube_places: KubePlaces, shape: Shape) -> None:
    """Both believe to hold the lease: resourceVersion and the stamp's epoch are all that is between them."""
    place = kube_places.kept(shape)
    served = place.served()
    other = place.another_machine(f"stranger-{place.next_text().split()[-1]}")
    other.cluster.ledger = place.cluster.store.url
    with place.under_load(20) as running:
        texts, ended = both(place, other)
        result = running.stop()
    kube_places.give_up(shape)  # two ledgers know half of it each
    codes = [run.code for run in ended]
    if NOT_KNOWN in codes:  # which says that somebody has to look
        assert codes.count(NOT_KNOWN) == 1, ended
        assert set(codes) <= {0, NOT_KNOWN, *REFUSED}, ended
    else:
        assert_one_has_won(place, served, texts, ended)
    assert place.text() in {served, *texts}
    assert result.failed == 0, dict(result.failures)


@pytest.mark.sample(1)
@pytest.mark.parametrize("shape", SHAPES)
def test_the_api_server_is_restarted_in_the_middle(kube_places: KubePlaces, shape: Shape) -> None:
    attempt = SECOND[shape].prepare(kube_places).with_settings(**slow_start(SECONDS))
    run = under_way(attempt)
    attempt.place.cluster.hands.restart_apiserver()
    ended = run.end(120)
    assert ended.code == 0, ended
    assert attempt.place.text() == attempt.wanted
    assert attempt.place.left_over() == []


@pytest.mark.sample(1)
@pytest.mark.parametrize("shape", SHAPES)
def test_watches_end_with_410_in_the_middle(kube_places: KubePlaces, shape: Shape) -> None:
    attempt = SECOND[shape].prepare(kube_places).with_settings(**slow_start(SECONDS))
    run = under_way(attempt)
    cluster = attempt.place.cluster
    run.until(lambda: cluster.hands.gate.watches(cluster.namespace) > 0)
    assert cluster.hands.watch_gone(cluster.namespace) > 0
    ended = run.end(120)
    assert ended.code == 0, ended
    assert attempt.place.text() == attempt.wanted


@pytest.mark.sweep
@pytest.mark.parametrize("shape", SHAPES)
def test_watches_are_cut_in_the_middle(kube_places: KubePlaces, shape: Shape) -> None:
    attempt = SECOND[shape].prepare(kube_places).with_settings(**slow_start(SECONDS))
    run = under_way(attempt)
    cluster = attempt.place.cluster
    run.until(lambda: cluster.hands.gate.watches(cluster.namespace) > 0)
    assert cluster.hands.gate.cut_watches(cluster.namespace) > 0
    ended = run.end(120)
    assert ended.code == 0, ended
    assert attempt.place.text() == attempt.wanted
