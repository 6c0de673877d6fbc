"""Several processes write to one ledger, on every kind of store, and on stores that fail."""

from __future__ import annotations

import collections
import threading
from typing import Any

import pytest

from shipper.ledger.opening import open_ledger
from shipper.model import LedgerState, Started
from tests.conftest import SEED
from tests.integration.ledger.ledger_workers import KEYS, Workers, holder, opened, release
from tests.rig.stores import RunningStore
from tests.rig.stores_faulty import FAULTS, faulty

pytestmark = pytest.mark.integration


def acknowledged(workers: Workers, store: RunningStore, url: str, processes: int, count: int) -> list[dict[str, Any]]:
    """What the processes were told that they had written; each begins as soon as it can."""
    started = [
        workers.start("append", url, store.environ, run=f"run-{index}", count=count) for index in range(processes)
    ]
    said = [line for worker in started for line in worker.all()]
    return [line for line in said if "nonce" in line]


def log(store: RunningStore, url: str) -> list[Any]:
    """Every entry, in order, as a new reader finds them."""
    ledger = opened(url, store.environ)
    return [ledger._read(position) for position in range(1, ledger.state().position + 1)]


def test_of_four_processes_that_append_nobody_loses_an_entry_and_no_number_is_used_twice(
    workers: Workers, store: RunningStore
) -> None:
    url = store.url
    told = acknowledged(workers, store, url, processes=4, count=25)
    entries = log(store, url)
    assert [entry.nonce for entry in entries] == [line["nonce"] for line in sorted(told, key=lambda e: e["position"])]
    assert [entry.fact.release.number for entry in entries] == list(range(1, 101))
    assert sorted(line["number"] for line in told) == list(range(1, 101))
    state = opened(url, store.environ).state()
    assert (state.position, state.highest) == (100, 100)


def test_threads_share_a_memory_in_the_same_way() -> None:
    def ledger() -> Any:
        place = {"service": KEYS.service, "environment": KEYS.environment, "target": KEYS.target}
        return open_ledger("memory://writers", **place, environ={})

    def begin(state: LedgerState) -> Started:
        return Started(release=release(state.highest + 1), by=holder("run"))

    def append() -> None:
        mine = ledger()
        for _ in range(25):
            mine.append(begin, run="run", epoch=1)

    threads = [threading.Thread(target=append) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(line.number for line in ledger().history()) == list(range(1, 101))


@pytest.mark.parametrize("kind", ["s3", "gcs"])
def test_on_a_store_that_fails_half_the_time_what_was_acknowledged_is_there_once(
    workers: Workers, request: pytest.FixtureRequest, kind: str
) -> None:
    store: RunningStore = request.getfixturevalue(kind)
    url = store.url
    with faulty(store, seed=SEED, share=0.5) as way:
        told = acknowledged(workers, way.store, url, processes=2, count=8)
    assert set(way.faults) == {"none", *FAULTS}
    entries = log(store, url)
    times = collections.Counter(entry.nonce for entry in entries)
    assert all(times[line["nonce"]] == 1 for line in told)
    assert len(told) == 16
    # A run that gave up may find later that its entry was written: then a number was claimed, and is not used again.
    assert [entry.fact.release.number for entry in entries] == list(range(1, len(entries) + 1))
    assert [entry.position for entry in entries] == list(range(1, len(entries) + 1))


def test_a_store_is_only_ever_read_and_written_never_listed(workers: Workers, s3: RunningStore) -> None:
    url = s3.url
    with faulty(s3, seed=SEED, share=0) as way:
        acknowledged(workers, way.store, url, processes=2, count=5)
        assert len(list(opened(url, way.store.environ).history())) == 10
        with opened(url, way.store.environ).lease(holder("run-9")):
            pass
    assert set(way.methods) == {"GET", "PUT"}
