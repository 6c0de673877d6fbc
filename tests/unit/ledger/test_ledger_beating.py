"""The thread that renews a lease, with real threads and short times."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from shipper.errors import LockedError, Overtaken
from shipper.ledger.lease import Leases
from shipper.ledger.patience import Patience
from shipper.ledger.protocol import Lease
from shipper.ledger.store import Doubtful
from shipper.ledger.tenure import Timings, is_released
from shipper.ledger.ticking import Ticking
from tests.unit.ledger.ledger_making import KEYS, DictStore, holder

pytestmark = pytest.mark.unit

TIMINGS = Timings(beat=0.02, again=0.01, dead_after=1.0, trust=0.8, fresh=0.01, answer=0.1, poll=0.01)


def leases(store: DictStore, timings: Timings = TIMINGS) -> Leases:
    return Leases(store, KEYS, Ticking(), Patience(limit=0.1), timings=timings, life=lambda _: "unknown")


@contextmanager
def silence(store: DictStore) -> Iterator[threading.Event]:
    """Beats get no answer until the block ends, each for so long as a request may take; set once one is waiting."""
    waiting, over = threading.Event(), threading.Event()

    def silent(verb: str, key: str) -> None:
        if verb == "put" and "/beats/" in key:
            waiting.set()
            over.wait(0.3)
            raise Doubtful("the store does not answer")

    store.before.append(silent)
    try:
        yield waiting
    finally:
        store.before.remove(silent)
        over.set()


def until_overtaken(lease: Lease) -> Overtaken:
    """What `check` says in the end, asked again and again."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            lease.check()
        except Overtaken as error:
            return error
    raise AssertionError("never overtaken")


def renewing() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "shipper-lease"]


def test_it_beats_while_the_block_runs_and_no_longer() -> None:
    store = DictStore()
    beats: set[bytes] = set()
    with leases(store).held(holder()) as lease:
        deadline = time.monotonic() + 5
        while len(beats) < 4 and time.monotonic() < deadline:
            beats.add(store.objects.get(KEYS.beat(1), b""))
        lease.check()
        assert all(thread.daemon for thread in renewing())
    assert len(beats) == 4
    assert is_released(store.objects[KEYS.beat(1)])
    assert renewing() == []


def test_a_beating_holder_is_never_taken_over_however_long_one_waits() -> None:
    store = DictStore()
    with leases(store).held(holder("run-1")) as lease:
        with pytest.raises(LockedError), leases(store).held(holder("run-2"), wait=1.5):
            pass
        lease.check()


def test_the_holder_finds_out_by_itself_that_it_was_overtaken() -> None:
    store = DictStore()
    seizing = leases(store).held(holder("run-2", "rollback"), seize=True)
    with leases(store).held(holder("run-1")) as first, seizing as second:
        assert "took the lease over for a rollback" in until_overtaken(first).message
        second.check()


def test_asking_never_waits_long_for_a_silent_store_and_ends_in_time() -> None:
    store = DictStore()
    with silence(store) as waiting:
        with leases(store).held(holder()) as lease:
            assert waiting.wait(5)
            began = time.monotonic()
            assert "could not be renewed" in until_overtaken(lease).message
            assert time.monotonic() - began < 2
            ending = time.monotonic()
        assert time.monotonic() - ending < 2
    assert not is_released(store.objects.get(KEYS.beat(1)))


def test_a_store_that_comes_back_in_time_costs_nothing() -> None:
    store = DictStore()
    patient = Timings(beat=0.02, again=0.01, dead_after=12, trust=10, fresh=0.01, answer=0.05, poll=0.01)
    with leases(store, patient).held(holder()) as lease:
        with silence(store) as waiting:
            assert waiting.wait(5)
            lease.check()
        lease.check()
    assert is_released(store.objects[KEYS.beat(1)])
