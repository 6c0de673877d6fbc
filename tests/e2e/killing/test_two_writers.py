"""Two processes that write to one service: entries are never lost, numbers never used twice, one holder at a time.

Judged by the proxies before the engine and the store, one pair for each process, and by the store itself; not by what
shipper says it did. Two homes on one host are two machines as far as shipper is concerned, but for the boot id.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.e2e.killing.ledgers import LedgerPlace, violations
from tests.e2e.killing.signalled import Run
from tests.e2e.killing.tiny_host import NewPlace, TinyHost
from tests.e2e.machine import Ended
from tests.e2e.tiny_place import canary
from tests.rig import load
from tests.rig.killing import Asked, Round, Trouble
from tests.rig.killing_processes import kill_tree

pytestmark = pytest.mark.e2e

BAKING = canary("60s")
OTHER_CLOCK = Path(__file__).with_name("other_clock")
AT_ONCE = 20.0
"""Seconds: less than the 30 s after which a lease without a beat is taken over."""


@pytest.fixture
def machines(new_place: NewPlace, ledger: LedgerPlace) -> tuple[TinyHost, TinyHost]:
    """Two machines that release one service to one host, which serves already."""
    one = new_place(ledger)
    two = new_place(ledger, beside=one)
    ended = one.release(one.next_text())
    assert ended.code == 0, ended
    return one, two


@pytest.mark.sample(1)
def test_two_releases_at_once_take_turns(machines: tuple[TinyHost, TinyHost], ledger: LedgerPlace) -> None:
    texts, runs, rounds, result = both_release(machines, "--wait", "5m")
    assert [run.code for run in runs] == [0, 0], runs
    assert result.failed == 0, result
    assert machines[0].text() in texts
    assert take_turns(*rounds)
    assert violations(ledger, machines) == []
    assert [recorded.outcome for recorded in ledger.history()] == ["verified"] * 3


@pytest.mark.sample(1)
def test_who_does_not_wait_is_told_who_holds_the_lease(
    machines: tuple[TinyHost, TinyHost], ledger: LedgerPlace
) -> None:
    one, two = machines
    with holding(one) as (holder, _):
        two.write(two.next_text())
        with two.points.counted() as seen:
            refused = two.run(*two.release_words)
        assert refused.code == 30, refused
        assert f"{holder.process.pid}" in refused.said or "release" in refused.said
        assert [str(write) for write in seen.writes if write.to == "engine"] == []
        assert holder.signal().code == 130
    assert violations(ledger, machines) == []


@pytest.mark.sample(1)
def test_a_rollback_seizes_a_release_in_its_canary(machines: tuple[TinyHost, TinyHost], ledger: LedgerPlace) -> None:
    one, two = machines
    old = one.text()
    good = one.next_text()
    assert one.release(good).code == 0
    with one.under_load(50, timeout=15) as running, holding(one) as (holder, ours):
        with two.points.counted() as theirs:
            rolled_back = two.run("rollback", "--json", "-C", one.folder)
        overtaken = holder.end(60)
        result = running.stop()
    assert rolled_back.code == 0, rolled_back
    assert overtaken.code != 0, overtaken
    assert overtaken.finished["cause"] == "overtaken", overtaken
    assert late(ours, theirs) == [], "every platform write of docker is conditional: not one may land"
    assert one.text() in (good, old)
    assert {one.text() for _ in range(60)} == {one.text()}
    assert result.failed == 0, result
    assert violations(ledger, machines) == []


@pytest.mark.sample(1)
def test_a_holder_that_was_killed_holds_nothing(machines: tuple[TinyHost, TinyHost], ledger: LedgerPlace) -> None:
    one, two = machines
    with one.under_load(50, timeout=15) as running, holding(one) as (holder, _):
        kill_tree(holder.process.pid)
        text = two.next_text()
        finished = two.release(text)
        result = running.stop()
    assert finished.code == 0, finished
    assert finished.seconds < AT_ONCE, "it is a dead process of this boot"
    assert (two.text(), result.failed) == (text, 0)
    assert violations(ledger, machines) == []
    assert [recorded.outcome for recorded in ledger.history()] == ["verified", "abandoned", "verified"]


@pytest.mark.sample(1)
@pytest.mark.parametrize("off", [600, -600])
def test_clocks_ten_minutes_apart_change_nothing(
    machines: tuple[TinyHost, TinyHost], ledger: LedgerPlace, off: int
) -> None:
    one, two = machines
    two.host.environment |= {"PYTHONPATH": str(OTHER_CLOCK), "CLOCK_OFF": str(off)}
    texts, runs, rounds, _ = both_release(machines, "--wait", "5m")
    assert [run.code for run in runs] == [0, 0], runs
    assert one.text() in texts
    assert take_turns(*rounds)
    with holding(one) as (holder, _):
        two.write(two.next_text())
        assert two.run(*two.release_words).code == 30
        assert holder.signal().code == 130
    assert violations(ledger, machines) == []
    started = [recorded.started for recorded in ledger.history()]
    assert max(started) - min(started) > 300, "the other clock was used"


TROUBLES: dict[str, Callable[[int], Trouble | None]] = {
    "refuses every third request": lambda number: Trouble(refuse=503) if number % 3 == 0 else None,
    "forgets to answer every fourth": lambda number: Trouble(forget=True) if number % 4 == 0 else None,
    "cuts off every fourth": lambda number: Trouble(cut=True) if number % 4 == 0 else None,
    "takes half a second": lambda number: Trouble(delay=0.5),
}


@pytest.mark.sample(2)
@pytest.mark.parametrize("trouble", TROUBLES)
@pytest.mark.parametrize("ledger", ["s3", "gcs"], indirect=True)
def test_on_a_store_that_misbehaves_nothing_is_lost(
    machines: tuple[TinyHost, TinyHost], ledger: LedgerPlace, trouble: str
) -> None:
    with ExitStack() as stack:
        for machine in machines:
            stack.enter_context(machine.points.troubled(misbehaving(TROUBLES[trouble])))
        texts, runs, rounds, result = both_release(machines, "--wait", "5m")
    assert {run.code for run in runs} <= {0, 24}, runs
    assert result.failed == 0, result
    assert machines[0].text() in texts
    assert take_turns(*rounds)
    assert violations(ledger, machines) == []


def both_release(
    machines: tuple[TinyHost, TinyHost], *words: object
) -> tuple[list[str], list[Ended], list[Round], load.LoadResult]:
    """Each releases a text of its own, at the same time, under load."""
    texts = [machine.next_text() for machine in machines]
    for machine, text in zip(machines, texts, strict=True):
        machine.write(text)

    def release(machine: TinyHost) -> tuple[Ended, Round]:
        with machine.points.counted() as seen:
            return machine.run(*machine.release_words, *words), seen

    with machines[0].under_load(50, timeout=15) as running, ThreadPoolExecutor(2) as pool:
        ended = list(pool.map(release, machines))
        result = running.stop()
    return texts, [run for run, _ in ended], [seen for _, seen in ended], result


@contextmanager
def holding(place: TinyHost) -> Iterator[tuple[Run, Round]]:
    """A release that is in the middle of its canary when the block begins."""
    text = place.next_text()
    place.write(text, **BAKING)
    with place.points.counted() as seen:
        run = Run(place.start(*place.release_words))
        run.until(lambda: place.text() == text)
        yield run, seen


def take_turns(one: Round, two: Round) -> bool:
    """Whether all that one wrote to the engine came before all that the other wrote."""
    spans = [
        (min(write.asked for write in writes), max(write.answered or 0.0 for write in writes))
        for writes in ([write for write in seen.writes if write.to == "engine"] for seen in (one, two))
    ]
    first, second = sorted(spans)
    return first[1] <= second[0]


def late(ours: Round, theirs: Round) -> list[str]:
    """What the overtaken run wrote after the other's first write was done, and the engine carried out."""
    first = min(write.answered or 0.0 for write in theirs.writes if write.to == "engine" and write.done)
    return [str(write) for write in ours.writes if write.to == "engine" and write.asked > first and write.done]


def misbehaving(trouble: Callable[[int], Trouble | None]) -> Callable[[str, Asked], Trouble | None]:
    """The store's requests are counted, whatever they are."""
    numbers = itertools.count(1)
    return lambda side, asked: trouble(next(numbers)) if side == "store" else None
