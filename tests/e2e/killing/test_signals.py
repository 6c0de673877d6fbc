"""SIGINT, SIGTERM 7.5 s later, SIGKILL 2.5 s after that, in every phase of a rollout.

Asked from outside: exit code, who answers over HTTP, what is left on the engine, and when the write that puts things
back came to the engine, by the clock of the proxy before it.
"""

from __future__ import annotations

import os
import signal
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.e2e.killing.signalled import (
    CI,
    ISSUED,
    TERMINATED,
    TREE_KILLED,
    UNCONFIRMED,
    Run,
    assert_interrupted,
    assert_unconfirmed,
)
from tests.e2e.killing.tiny_host import TinyHost
from tests.e2e.machine import Ended
from tests.e2e.tiny_place import canary, slow_start
from tests.rig.killing import Round

pytestmark = pytest.mark.e2e

BAKING = canary("60s")
MOVES_TRAFFIC = "apply.sh"


@pytest.fixture
def old(place: TinyHost) -> str:
    """What serves before."""
    text = place.next_text()
    ended = place.release(text)
    assert ended.code == 0, ended
    return text


@contextmanager
def released(place: TinyHost, *words: object, **options: Any) -> Iterator[tuple[Run, Round]]:
    """A command under load; no request fails, whatever becomes of it."""
    with place.under_load(50, timeout=15) as running, place.points.counted() as seen:
        yield Run(place.start(*(words or place.release_words), **options)), seen
        result = running.stop()
    assert result.failed == 0, result


def serves_only(place: TinyHost, text: str) -> bool:
    """Enough answers that a share of 10 % for somebody else would show."""
    return {place.text() for _ in range(60)} == {text}


def started_its_container(seen: Round) -> Callable[[], bool]:
    return lambda: any(write.name.endswith("/start") and write.done for write in seen.writes)


def put_back_at(seen: Round, run: Run) -> float:
    """Seconds from the signal to the first write after it that came to the engine and sets the traffic."""
    after = [write.asked for write in seen.writes if write.name == MOVES_TRAFFIC and write.asked > run.signalled_at]
    assert after, "putting back was never asked for"
    return after[0] - run.signalled_at


def assert_put_back(place: TinyHost, ended: Ended, old: str, code: int = 130) -> None:
    assert_interrupted(ended, code)
    assert serves_only(place, old)


@pytest.mark.sample(1)
@pytest.mark.parametrize(("signals", "code"), [(CI, 130), (TERMINATED, 143)], ids=["SIGINT", "SIGTERM alone"])
def test_waiting_for_ready(place: TinyHost, old: str, signals: list[tuple[int, float]], code: int) -> None:
    before = place.inventory()
    place.write(place.next_text(), **slow_start(60))
    with released(place) as (run, seen):
        run.until(started_its_container(seen))
        ended = run.signal(signals)
    assert_put_back(place, ended, old, code)
    assert place.inventory() == before


@pytest.mark.sample(1)
@pytest.mark.parametrize(("signals", "code"), [(CI, 130), (TERMINATED, 143)], ids=["SIGINT", "SIGTERM alone"])
def test_in_a_canary(place: TinyHost, old: str, signals: list[tuple[int, float]], code: int) -> None:
    before, new = place.inventory(), place.next_text()
    place.write(new, **BAKING)
    with released(place) as (run, seen):
        run.until(lambda: place.text() == new)
        ended = run.signal(signals)
    assert_put_back(place, ended, old, code)
    assert put_back_at(seen, run) < ISSUED
    assert place.inventory() == before


def test_while_traffic_moves(place: TinyHost, old: str) -> None:
    new = place.next_text()
    place.write(new)
    with released(place) as (run, _):
        run.until(lambda: place.text() == new)
        ended = run.signal()
    assert ended.code in (0, 130), ended
    assert ended.seconds < TREE_KILLED, ended
    assert serves_only(place, new if ended.code == 0 else old)


def test_while_the_old_one_drains(place: TinyHost, old: str) -> None:
    new = place.next_text()
    slow = threading.Thread(target=ask_slowly, args=(place,))
    place.write(new, rollout={"drain": "60s"})
    with released(place) as (run, _):
        slow.start()
        run.until(lambda: place.text() == new)
        ended = run.signal()
    slow.join()
    assert ended.code in (0, 130), ended
    assert ended.seconds < TREE_KILLED, ended
    assert serves_only(place, new if ended.code == 0 else old)


def test_in_a_rollback_that_starts_the_old_one_again(place: TinyHost) -> None:
    stopped = {"rollback": {"keep": "stopped"}}
    first, bad = place.next_text(), place.next_text()
    assert place.release(first, **stopped, run={"env": {"START_SECONDS": "3"}}).code == 0
    assert place.release(bad, **stopped).code == 0
    with released(place, *place.rollback_words) as (run, seen):
        run.until(started_its_container(seen))
        ended = run.signal()
    assert_put_back(place, ended, bad)


def test_while_it_waits_for_a_lease(place: TinyHost, old: str) -> None:
    holders, waiters = place.next_text(), place.next_text()
    place.write(holders, **BAKING)
    with released(place) as (holder, seen):
        holder.until(lambda: place.text() == holders)
        place.write(waiters)
        waiter = Run(place.start(*place.release_words, "--wait", "10m"))
        waiter.until(lambda: "wait" in waiter.said)
        writes = [write for write in seen.writes if write.to == "engine"]
        ended = waiter.signal()
        assert ended.code == 130, ended
        assert ended.seconds < 2.0, ended
        assert [write for write in seen.writes if write.to == "engine"] == writes, "it had no lease"
        assert holder.signal().code == 130
    assert serves_only(place, old)


def test_a_second_interrupt_from_a_terminal_leaves_at_once(place: TinyHost, old: str) -> None:
    new = place.next_text()
    place.write(new, **BAKING)
    ours, theirs = os.openpty()
    with released(place, stdin=theirs) as (run, seen):
        run.until(lambda: place.text() == new)
        with place.points.slow_writes("engine", 6.0):
            writes = len(seen.writes)
            run.process.send_signal(signal.SIGINT)
            run.until(lambda: len(seen.writes) > writes)
            run.signalled_at = time.monotonic()
            run.process.send_signal(signal.SIGINT)
            ended = run.end(5.0)
    os.close(ours)
    os.close(theirs)
    assert ended.code == UNCONFIRMED, ended
    assert ended.seconds < 1.0
    assert "does not know what serves" in ended.stderr


def test_on_an_engine_that_takes_three_seconds_it_is_put_back_all_the_same(place: TinyHost, old: str) -> None:
    new = place.next_text()
    place.write(new, **BAKING)
    with released(place) as (run, seen):
        run.until(lambda: place.text() == new)
        with place.points.slow_writes("engine", 3.0):
            ended = run.signal()
    assert_put_back(place, ended, old)
    assert put_back_at(seen, run) < ISSUED


def test_on_an_engine_that_takes_twelve_seconds_it_says_that_it_is_not_confirmed(place: TinyHost, old: str) -> None:
    new = place.next_text()
    place.write(new, **BAKING)
    with released(place) as (run, seen):
        run.until(lambda: place.text() == new)
        with place.points.slow_writes("engine", 12.0):
            ended = run.signal()
            until_answered(seen)
        assert put_back_at(seen, run) < ISSUED
    assert_unconfirmed(ended)
    assert serves_only(place, old), "what was requested was carried out in the end"


def until_answered(seen: Round) -> None:
    """The engine has done what was asked of it, although nobody waits for the answer any more."""
    deadline = time.monotonic() + 60
    while any(write.answered is None for write in seen.writes) and time.monotonic() < deadline:
        time.sleep(0.1)


def ask_slowly(place: TinyHost) -> None:
    """One request that is in flight for two seconds, and is answered."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"http://127.0.0.1:{place.host.port}/slow", timeout=30) as answer:
        assert answer.status == 200
