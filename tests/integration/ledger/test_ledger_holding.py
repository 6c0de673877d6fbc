"""One holder of the lease at any time, however processes end, on every kind of store. Ten times as fast as in life."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from shipper.errors import LockedError
from tests.integration.ledger.ledger_workers import BRISK, Workers, holder, opened
from tests.rig.stores import RunningStore

pytestmark = pytest.mark.integration


def test_of_four_processes_that_want_it_one_has_it_at_a_time(
    workers: Workers, store: RunningStore, tmp_path: Path
) -> None:
    url = store.url
    contenders = [
        workers.start("contend", url, store.environ, run=f"run-{index}", count=4, room=tmp_path / "room")
        for index in range(4)
    ]
    epochs = [line["epoch"] for worker in contenders for line in worker.all()]
    assert sorted(epochs) == list(range(1, 17))


def test_the_lease_of_a_process_that_was_killed_here_is_free_at_once(workers: Workers, store: RunningStore) -> None:
    url = store.url
    killed = workers.start("hold", url, store.environ, run="run-1")
    assert killed.says() == {"epoch": 1}
    killed.kill()
    began = time.monotonic()
    with opened(url, store.environ).lease(holder("run-2")) as lease:
        assert lease.epoch == 2
    assert time.monotonic() - began < BRISK.dead_after


def test_one_that_was_killed_elsewhere_is_taken_over_after_its_silence_whatever_its_clock_said(
    workers: Workers, store: RunningStore
) -> None:
    url = store.url
    far = workers.start("hold", url, store.environ, run="run-1", elsewhere="yes", wrong_by=-600)
    far.says()
    with pytest.raises(LockedError) as caught, opened(url, store.environ).lease(holder("run-2"), wait=0.5):
        pass  # it is alive
    assert "ci@ci-17 runs a release there" in caught.value.message
    far.kill()
    began = time.monotonic()
    with opened(url, store.environ).lease(holder("run-2"), wait=60) as lease:
        assert lease.epoch == 2
        assert time.monotonic() - began >= BRISK.dead_after - 1


def test_a_rollback_seizes_the_lease_of_a_release_which_finds_out(workers: Workers, store: RunningStore) -> None:
    url = store.url
    releasing = workers.start("hold", url, store.environ, run="run-1")
    releasing.says()
    with opened(url, store.environ).lease(holder("run-2", "rollback"), seize=True) as lease:
        assert lease.epoch == 2
        said = releasing.says()
        assert "took the lease over for a rollback (run run-2)" in said["overtaken"]
        lease.check()


def test_a_holder_that_lives_is_not_taken_over_however_long_one_waits(workers: Workers, s3: RunningStore) -> None:
    url = s3.url
    far = workers.start("hold", url, s3.environ, run="run-1", elsewhere="yes")
    far.says()
    with pytest.raises(LockedError), opened(url, s3.environ).lease(holder("run-2"), wait=2 * BRISK.dead_after):
        pass
    far.finish()
    assert far.all() == []  # it was never told that it was overtaken
    with opened(url, s3.environ).lease(holder("run-2")) as lease:
        assert lease.epoch == 2


def test_a_holder_whose_process_stands_still_finds_out_before_it_writes(workers: Workers, s3: RunningStore) -> None:
    """Stopped and continued, as by a lid that was closed."""
    url = s3.url
    asleep = workers.start("hold", url, s3.environ, run="run-1", elsewhere="yes")
    asleep.says()
    asleep.process.send_signal(signal.SIGSTOP)
    with opened(url, s3.environ).lease(holder("run-2")) as lease:
        assert lease.epoch == 2
        asleep.process.send_signal(signal.SIGCONT)
        assert "overtaken" in asleep.says()
        lease.check()
